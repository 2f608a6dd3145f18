import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import type { WeightStore } from "../../ir/tensor.ts";
import type { PlainElement, Shape, TensorType } from "../../ir/type.ts";
import { createGraphWriter, type GraphWriter, type WrittenDtype } from "../onnx/format/index.ts";
import { onnxFormOf } from "./ir-to-onnx.ts";

/** Keys and values of one attention: inputs as they were, outputs with those of the new positions appended. */
export interface CacheBinding {
  readonly past: string;
  readonly present: string;
  /** The shape at one position. */
  readonly shape: Shape;
}

export interface DecodeGraph {
  readonly bytes: Uint8Array;
  /** Keys and values, in the order of the module's operators. */
  readonly cached: readonly CacheBinding[];
}

export interface DecodeGraphSource {
  /** A program for one position: cached attention, and weights of which a position takes its row. */
  readonly module: Module;
  readonly weights: WeightStore;
  /** The position axis of each value. */
  readonly axes: ReadonlyMap<ValueId, number>;
  /** Names of inputs and outputs. */
  readonly nameOf: (id: ValueId) => string;
}

/** The input with the positions of the rows: [n], consecutive. */
export const positionsInput = "marillc.positions";

const [rows, earlier] = ["rows", "earlier"];
const dtypes: Readonly<Record<PlainElement["kind"], WrittenDtype>> = { f32: "float32", i64: "int64", bool: "bool" };
export const writtenDtypeOf = ({ element }: TensorType): WrittenDtype =>
  element.kind === "fx" ? "float32" : dtypes[element.kind];

/** The first op without an ONNX form. */
export const firstUnsupportedOp = (module: Module): Op | undefined =>
  opsOf(module).find((op) => op.name !== "cached-attention" && !onnxFormOf(op));

/**
 * Exports a program for one position as an ONNX graph for any number of consecutive positions: what the module states
 * of one row holds for each. The first run takes a whole window and no earlier rows, and outputs what later runs take.
 */
export function exportDecodeGraph({ module, weights, axes, nameOf }: DecodeGraphSource, name: string): DecodeGraph {
  const into = createGraphWriter();
  const names = new Map<ValueId, string>();
  const graphDims = (id: ValueId, dim: string): readonly (number | string)[] =>
    typeOf(module, id).shape.map((size, axis) => (axis === axes.get(id) ? dim : size));
  const pasts = new Set(opsOf(module).flatMap((op) => (op.name === "cached-attention" ? op.operands.slice(3) : [])));
  for (const id of module.inputs) {
    if (pasts.has(id)) continue;
    into.input(nameOf(id), writtenDtypeOf(typeOf(module, id)), graphDims(id, rows));
    names.set(id, nameOf(id));
  }
  into.input(positionsInput, "int64", [rows]);
  for (const [id, weight] of Object.entries(module.params)) {
    const whole = into.tensor(writtenDtypeOf(typeOf(module, id)), weights.get(weight)!);
    const rowSlice = module.positionRows?.[weight];
    names.set(id, rowSlice ? into.node("Gather", [whole, positionsInput], { axis: rowSlice.axis }) : whole);
  }
  const seen = new Map<number, string>();
  const visible = (window: number): string => {
    const found = seen.get(window) ?? causalMask(into, window);
    seen.set(window, found);
    return found;
  };
  const kept: CacheBinding[] = [];
  /** Concatenates earlier rows and the new ones; the result is an output too. */
  const concatPast = (id: ValueId, past: ValueId): string => {
    const type = typeOf(module, id);
    const axis = axes.get(id)!;
    const there = type.shape.map((size, at) => (at === axis ? earlier : size));
    const [before, after] = [`marillc.${past}`, `marillc.${past}.all`];
    into.input(before, writtenDtypeOf(type), there);
    const all = into.node("Concat", [before, names.get(id)!], { axis });
    into.output(
      after,
      all,
      writtenDtypeOf(type),
      type.shape.map((size, at) => (at === axis ? "all" : size)),
    );
    kept.push({ past: before, present: after, shape: type.shape });
    return all;
  };
  for (const op of opsOf(module)) {
    const cached = op.name === "cached-attention";
    const [q, k, v, pastK, pastV] = op.operands as readonly [ValueId, ValueId, ValueId, ValueId, ValueId];
    const form = onnxFormOf(cached ? { ...op, name: "attention" } : op)!;
    const operands = cached
      ? [names.get(q)!, concatPast(k, pastK), concatPast(v, pastV)]
      : op.operands.map((id) => names.get(id)!);
    const shapes = op.operands.map((id) => typeOf(module, id).shape);
    names.set(
      op.result,
      form({ op, operands, shapes, positionAxis: axes.get(op.result), writer: into, causalMask: visible }),
    );
  }
  for (const id of module.outputs)
    into.output(nameOf(id), names.get(id)!, writtenDtypeOf(typeOf(module, id)), graphDims(id, rows));
  return { bytes: into.finish(name), cached: kept };
}

/**
 * Key j is visible from position p iff j ≤ p, and j > p − window where there is one: [positions, keys], keys up to the
 * last position.
 */
function causalMask(into: GraphWriter, window: number): string {
  const [zero, one] = [0, 1].map((value) => into.tensor("int64", { shape: [], data: Float64Array.of(value) }));
  const count = into.node("Add", [into.node("ReduceMax", [positionsInput], { keepdims: 0 }), one!]);
  const keys = into.node("Range", [zero!, count, one!]);
  const positions = into.node("Unsqueeze", [positionsInput, into.integers([1])]);
  const before = into.node("LessOrEqual", [keys, positions]);
  if (window === 0) return before;
  return into.node("And", [
    before,
    into.node("Greater", [keys, into.node("Sub", [positions, into.integers([window])])]),
  ]);
}
