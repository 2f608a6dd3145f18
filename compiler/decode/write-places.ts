import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import type { PlainElement, Shape, TensorType } from "../../ir/type.ts";
import type { WeightStore } from "../../ir/weights.ts";
import { createGraphWriter, type GraphWriter, type WrittenDtype } from "../onnx/format/index.ts";
import { formOf } from "./written-forms.ts";

/** Keys and values of one attention go in as they were, and come out with those of the new places behind them. */
export interface KeptTensor {
  readonly past: string;
  readonly present: string;
  /** One place's. */
  readonly shape: Shape;
}

export interface PlacesGraph {
  readonly bytes: Uint8Array;
  /** Keys and values, in the order of the module's operators. */
  readonly kept: readonly KeptTensor[];
}

export interface Places {
  /** A program of one place: cached attention, and weights of which a place takes its row. */
  readonly module: Module;
  readonly weights: WeightStore;
  /** Along which axis each value has the places. */
  readonly axes: ReadonlyMap<ValueId, number>;
  /** What inputs and outputs are called. */
  readonly nameOf: (id: ValueId) => string;
}

/** The input that says which places the rows are of: [n], one after the other. */
export const placesInput = "marillc.places";

const [rows, earlier] = ["rows", "earlier"];
const dtypes: Readonly<Record<PlainElement["kind"], WrittenDtype>> = { f32: "float32", i64: "int64", bool: "bool" };
export const dtypeOf = ({ element }: TensorType): WrittenDtype =>
  element.kind === "fx" ? "float32" : dtypes[element.kind];

/** The first op that cannot be written. */
export const unwritten = (module: Module): Op | undefined =>
  opsOf(module).find((op) => op.name !== "cached-attention" && !formOf(op));

/**
 * A program of one place as an ONNX graph of any number of places, one after the other: as a module says it of one row,
 * it holds of each. The first run takes a whole window and no earlier rows, and gives what later ones take.
 */
export function writePlaces({ module, weights, axes, nameOf }: Places, name: string): PlacesGraph {
  const into = createGraphWriter();
  const names = new Map<ValueId, string>();
  const dims = (id: ValueId, extent: string): readonly (number | string)[] =>
    typeOf(module, id).shape.map((size, axis) => (axis === axes.get(id) ? extent : size));
  const pasts = new Set(opsOf(module).flatMap((op) => (op.name === "cached-attention" ? op.operands.slice(3) : [])));
  for (const id of module.inputs) {
    if (pasts.has(id)) continue;
    into.input(nameOf(id), dtypeOf(typeOf(module, id)), dims(id, rows));
    names.set(id, nameOf(id));
  }
  into.input(placesInput, "int64", [rows]);
  for (const [id, weight] of Object.entries(module.params)) {
    const whole = into.tensor(dtypeOf(typeOf(module, id)), weights.get(weight)!);
    const placed = module.placed?.[weight];
    names.set(id, placed ? into.node("Gather", [whole, placesInput], { axis: placed.axis }) : whole);
  }
  const seen = new Map<number, string>();
  const visible = (window: number): string => {
    const found = seen.get(window) ?? visibleScores(into, window);
    seen.set(window, found);
    return found;
  };
  const kept: KeptTensor[] = [];
  /** Earlier rows and the new ones, which come out as well. */
  const together = (id: ValueId, past: ValueId): string => {
    const type = typeOf(module, id);
    const axis = axes.get(id)!;
    const there = type.shape.map((size, at) => (at === axis ? earlier : size));
    const [before, after] = [`marillc.${past}`, `marillc.${past}.all`];
    into.input(before, dtypeOf(type), there);
    const all = into.node("Concat", [before, names.get(id)!], { axis });
    into.output(
      after,
      all,
      dtypeOf(type),
      type.shape.map((size, at) => (at === axis ? "all" : size)),
    );
    kept.push({ past: before, present: after, shape: type.shape });
    return all;
  };
  for (const op of opsOf(module)) {
    const cached = op.name === "cached-attention";
    const [q, k, v, pastK, pastV] = op.operands as readonly [ValueId, ValueId, ValueId, ValueId, ValueId];
    const form = formOf(cached ? { ...op, name: "attention" } : op)!;
    const operands = cached
      ? [names.get(q)!, together(k, pastK), together(v, pastV)]
      : op.operands.map((id) => names.get(id)!);
    const shapes = op.operands.map((id) => typeOf(module, id).shape);
    names.set(op.result, form({ op, operands, shapes, places: axes.get(op.result), into, visible }));
  }
  for (const id of module.outputs) into.output(nameOf(id), names.get(id)!, dtypeOf(typeOf(module, id)), dims(id, rows));
  return { bytes: into.finish(name), kept };
}

/** Key j is seen from place p iff j ≤ p, and j > p − window where there is one: [places, keys], keys up to the last place. */
function visibleScores(into: GraphWriter, window: number): string {
  const [zero, one] = [0, 1].map((value) => into.tensor("int64", { shape: [], data: Float64Array.of(value) }));
  const count = into.node("Add", [into.node("ReduceMax", [placesInput], { keepdims: 0 }), one!]);
  const keys = into.node("Range", [zero!, count, one!]);
  const places = into.node("Unsqueeze", [placesInput, into.integers([1])]);
  const before = into.node("LessOrEqual", [keys, places]);
  if (window === 0) return before;
  return into.node("And", [before, into.node("Greater", [keys, into.node("Sub", [places, into.integers([window])])])]);
}
