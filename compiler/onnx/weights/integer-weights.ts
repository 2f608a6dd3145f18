import type { Tensor } from "../../../ir/tensor.ts";
import { sizeOf } from "../../../ir/type.ts";
import { dtypeFromOnnx } from "../../tensors/index.ts";
import { type OnnxModel, type OnnxNode, type OnnxTensor, readTensor } from "../format/index.ts";
import { isCodeConstantName } from "./exporter-constants.ts";
import { isFormulaTable } from "./formula-tables.ts";
import { stripPrefix } from "./module-path.ts";
import { wrapperPrefixOf } from "./weight-names.ts";

/** Inputs that are indices or sizes, by operator: a node computes with all others. */
const structuralInputs: Readonly<Record<string, readonly number[]>> = {
  CumSum: [1],
  Expand: [1],
  Gather: [1],
  GatherElements: [1],
  GatherND: [1],
  OneHot: [0, 1],
  Pad: [1, 3],
  ReduceL1: [1],
  ReduceL2: [1],
  ReduceMax: [1],
  ReduceMean: [1],
  ReduceMin: [1],
  ReduceProd: [1],
  ReduceSum: [1],
  ReduceSumSquare: [1],
  Reshape: [1],
  Resize: [1, 2, 3],
  ScatterElements: [1],
  ScatterND: [1],
  Slice: [1, 2, 3, 4],
  Split: [1],
  SplitToSequence: [1],
  Squeeze: [1],
  Tile: [1],
  TopK: [1],
  Trilu: [1],
  Unsqueeze: [1],
};

/** Results that do not depend on the elements of their input. */
const valueIndependent: ReadonlySet<string> = new Set(["ConstantOfShape", "Range", "Shape", "Size"]);

const isIntegerTensor = ({ dtype }: OnnxTensor): boolean => /^(u?int|bool)/.test(dtype);

/**
 * Stored integers and booleans that may have an owner, with their names: those with a parameter's name in the file or
 * the base, and integers that become real after arithmetic. The others are indices or sizes, are a mask, or follow from
 * a formula: they are part of the architecture.
 */
export function findOwnedIntegers(
  model: OnnxModel,
  stored: readonly OnnxTensor[],
  known?: ReadonlySet<string>,
): ReadonlyMap<string, string> {
  const integers = stored.filter((tensor) => isIntegerTensor(tensor) && sizeOf(tensor.dims) > 1);
  if (integers.length === 0) return new Map();
  const prefix = wrapperPrefixOf(model, known);
  const real = castSources(model.graph.nodes);
  return new Map(
    integers.flatMap((tensor) => {
      const name = stripPrefix(tensor.name, prefix);
      const named = (/^[A-Za-z_]\w*(\.\w+)+$/.test(name) && !isCodeConstantName(name)) || known?.has(name) === true;
      const isOwned = named || (real.has(tensor.name) && tensor.dtype !== "bool");
      const values = readTensor(model, tensor);
      return isOwned && !isFormulaTable(values) && (named || !isDistanceTable(values)) ? [[tensor.name, name]] : [];
    }),
  );
}

/** Fewer differences of positions may encode anything. */
const minDistances = 9;

/**
 * Relative positions and their transforms on the way to learned biases: one constant, or values that depend on column −
 * row alone, along a line with at most two bends (a size, an end, a step).
 */
function isDistanceTable({ shape, data }: Tensor): boolean {
  if (data.every((value) => value === data[0])) return true;
  const [rows = 0, columns = 0] = shape.slice(-2);
  if (shape.length < 2 || rows + columns - 1 < minDistances) return false;
  const of = (difference: number): number => (difference < 0 ? data[-difference * columns]! : data[difference]!);
  let bends = 0;
  for (let at = 2 - rows; at < columns - 1; at++) bends += of(at + 1) - of(at) === of(at) - of(at - 1) ? 0 : 1;
  if (bends > 2) return false;
  return data.every((value, at) => {
    const index = at % (rows * columns);
    return value === of((index % columns) - Math.floor(index / columns));
  });
}

/** Names from which the input of a Cast to a real type is computed, through integers alone. */
function castSources(nodes: readonly OnnxNode[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { op, domain, inputs, outputs, attributes } of [...nodes].reverse()) {
    if (domain !== "" || valueIndependent.has(op)) continue;
    const to = attributes.get("to");
    const target = op === "Cast" && to?.kind === "int" ? dtypeFromOnnx(to.value) : undefined;
    if (!(target !== undefined && /float/.test(target)) && !outputs.some((name) => found.has(name))) continue;
    const structural = Object.hasOwn(structuralInputs, op) ? structuralInputs[op]! : [];
    for (const [index, name] of inputs.entries()) if (!structural.includes(index)) found.add(name);
  }
  return found;
}
