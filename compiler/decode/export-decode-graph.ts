import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import type { WeightStore } from "../../ir/tensor.ts";
import type { PlainElement, Shape, TensorType } from "../../ir/type.ts";
import { createGraphWriter, type GraphWriter, type WrittenDtype } from "../onnx/format/index.ts";
import { onnxFormOf } from "./ir-to-onnx.ts";

/** Keys and values of one attention go in as they were, and come out with those of the new places behind them. */
export interface CacheBinding {
  readonly past: string;
  readonly present: string;
  /** One place's. */
  readonly shape: Shape;
}

export interface DecodeGraph {
  readonly bytes: Uint8Array;
  /** Keys and values, in the order of the module's operators. */
  readonly cached: readonly CacheBinding[];
}

export interface DecodeGraphSource {
  /** A program of one place: cached attention, and weights of which a place takes its row. */
  readonly module: Module;
  readonly weights: WeightStore;
  /** Along which axis each value has the places. */
  readonly axes: ReadonlyMap<ValueId, number>;
  /** What inputs and outputs are called. */
  readonly nameOf: (id: ValueId) => string;
}

/** The input that says which places the rows are of: [n], one after the other. */
export const positionsInput = "marillc.positions";

const [rows, earlier] = ["rows", "earlier"];
const dtypes: Readonly<Record<PlainElement["kind"], WrittenDtype>> = { f32: "float32", i64: "int64", bool: "bool" };
export const writtenDtypeOf = ({ element }: TensorType): WrittenDtype =>
  element.kind === "fx" ? "float32" : dtypes[element.kind];

/** The first op that cannot be written. */
export const firstUnsupportedOp = (module: Module): Op | undefined =>
  opsOf(module).find((op) => op.name !== "cached-attention" && !onnxFormOf(op));

/**
 * A program of one place as an ONNX graph of any number of places, one after the other: as a module says it of one row,
 * it holds of each. The first run takes a whole window and no earlier rows, and gives what later ones take.
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
  /** Earlier rows and the new ones, which come out as well. */
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

/** Key j is seen from place p iff j ≤ p, and j > p − window where there is one: [places, keys], keys up to the last place. */
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
