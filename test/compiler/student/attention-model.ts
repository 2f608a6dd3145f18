import type { onnx as proto } from "onnx-proto";
import { tensor } from "../../../ir/tensor.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";
import type { Inputs } from "./student-models.ts";

/** A stack of attention layers over rows of numbers, as exporters write them. */
export interface AttentionModel {
  readonly layers: number;
  readonly heads: number;
  readonly groups: number;
  readonly depth: number;
  readonly rows: number;
  readonly rope: boolean;
  readonly bias: boolean;
  /** Different values in every matrix. */
  readonly seed?: number;
  /** Heads h and h + 1 (h even) are equal. */
  readonly twins?: boolean;
  /** Already merged: m neighbouring heads become one after the position embeddings, as a framework's code does it. */
  readonly merged?: number;
}

export const width = 24;

const ints = (name: string, values: readonly number[]): proto.ITensorProto => ({
  name,
  dims: [values.length],
  dataType: 7,
  int64Data: [...values],
});

export function attentionModel(spec: AttentionModel): Uint8Array {
  const initializer: proto.ITensorProto[] = [];
  const nodes: proto.INodeProto[] = [];
  let last = "x";
  for (let layer = 0; layer < spec.layers; layer++) last = attentionLayer(spec, layer, last, initializer, nodes);
  nodes.push(node("MatMul", [last, "head.weight"], ["y"], "/head/MatMul"));
  initializer.push(floatTensor("head.weight", [width, 8], numbers(width * 8, 91, 0.5)));
  return modelBytes({
    name: "attention",
    initializer,
    node: nodes,
    input: [floatInfo("x", 1, spec.rows, width)],
    output: [floatInfo("y", 1, spec.rows, 8)],
  });
}

function attentionLayer(
  { heads, groups, depth, rows, rope, bias, seed = 1, twins, merged = 1 }: AttentionModel,
  layer: number,
  x: string,
  initializer: proto.ITensorProto[],
  nodes: proto.INodeProto[],
): string {
  const scope = `/layers.${layer}/attn`;
  const at = (name: string): string => `${scope}/${name}_output_0`;
  let made = 0;
  const add = (op: string, inputs: string[], attribute: proto.IAttributeProto[] = [], domainless = op): string => {
    const name = `${domainless}_${made++}`;
    nodes.push({ ...node(op, inputs, [at(name)], `${scope}/${name}`), attribute });
    return at(name);
  };
  const stored = (name: string, dims: number[], values: number[]): string => {
    initializer.push(floatTensor(name, dims, values));
    return name;
  };
  const shape = (...values: number[]): string => {
    const name = `${scope}/shape_${made++}`;
    initializer.push(ints(name, values));
    return name;
  };
  const perm = (...axes: number[]): proto.IAttributeProto[] => [{ name: "perm", type: 7, ints: axes }];
  const project = (from: string, name: string, inner: number, outer: number, at_: number): string => {
    const own = numbers(inner * outer, 100 * seed + 10 * layer + at_, 0.6);
    // The second of two heads takes the columns of the first.
    const twin = (place: number): number =>
      twins && name !== "o" ? place - (Math.floor(place / depth) % 2) * depth : place;
    const values = own.map((_, index) => own[index - (index % outer) + twin(index % outer)]!);
    const product = `${scope}/${name}/MatMul_output_0`;
    nodes.push(
      node(
        "MatMul",
        [from, stored(`layers.${layer}.attn.${name}.weight`, [inner, outer], values)],
        [product],
        `${scope}/${name}/MatMul`,
      ),
    );
    if (!bias) return product;
    const offsets = numbers(outer, 500 + at_, 0.3);
    const shift = offsets.map((_, index) => offsets[twin(index)]!);
    return add("Add", [stored(`layers.${layer}.attn.${name}.bias`, [outer], shift), product]);
  };
  const inHeads = (from: string, count: number): string =>
    add("Transpose", [add("Reshape", [from, shape(1, rows, count, depth)])], perm(0, 2, 1, 3));
  const turned = (from: string): string => {
    if (!rope) return from;
    const slice = (start: number, end: number): string => add("Slice", [from, shape(start), shape(end), shape(3)]);
    const half = add(
      "Concat",
      [add("Neg", [slice(depth / 2, depth)]), slice(0, depth / 2)],
      [{ name: "axis", type: 2, i: -1 as never }],
    );
    const angle = (row: number, d: number): number => row / 10 ** ((2 * (d % (depth / 2))) / depth);
    const tableOf = (f: (angle: number) => number): string =>
      stored(
        `${scope}/table_${made++}`,
        [1, 1, rows, depth],
        Array.from({ length: rows * depth }, (_, index) => f(angle(Math.floor(index / depth), index % depth))),
      );
    return add("Add", [add("Mul", [from, tableOf(Math.cos)]), add("Mul", [half, tableOf(Math.sin)])]);
  };
  const repeated = (from: string, count: number, each: number): string => {
    if (count === heads / merged) return from;
    const per = heads / merged / count;
    const wide = add("Expand", [add("Unsqueeze", [from, shape(2)]), shape(1, count, per, rows, each)]);
    return add("Reshape", [wide, shape(1, count * per, rows, each)]);
  };
  const together = (from: string, count: number): string => {
    if (merged === 1) return from;
    // [1, H, S, D] → [1, S, H, D] → [1, S, H/m, m·D] → [1, H/m, S, m·D]
    const flat = add("Reshape", [
      add("Transpose", [from], perm(0, 2, 1, 3)),
      shape(1, rows, count / merged, merged * depth),
    ]);
    return add("Transpose", [flat], perm(0, 2, 1, 3));
  };
  const q = together(turned(inHeads(project(x, "q", width, heads * depth, 1), heads)), heads);
  const k = repeated(
    together(turned(inHeads(project(x, "k", width, groups * depth, 2), groups)), groups),
    groups / merged,
    merged * depth,
  );
  const v = repeated(
    together(inHeads(project(x, "v", width, groups * depth, 3), groups), groups),
    groups / merged,
    merged * depth,
  );
  const factor = stored(`${scope}/Constant_${made++}`, [], [1 / (merged * Math.sqrt(depth))]);
  const scores = add("Mul", [add("MatMul", [q, add("Transpose", [k], perm(0, 1, 3, 2))]), factor]);
  const mask = stored(
    `${scope}/mask`,
    [1, 1, rows, rows],
    Array.from({ length: rows * rows }, (_, index) => (index % rows <= Math.floor(index / rows) ? 0 : -3.4e38)),
  );
  const weights = add("Softmax", [add("Add", [scores, mask])], [{ name: "axis", type: 2, i: -1 as never }]);
  const mixed = add("MatMul", [weights, v], [], "Mixed");
  const joined = add("Reshape", [add("Transpose", [mixed], perm(0, 2, 1, 3)), shape(1, rows, heads * depth)]);
  return add("Add", [x, project(joined, "o", heads * depth, width, 4)]);
}

export const rowsOf = (spec: AttentionModel, seed = 5): Inputs =>
  new Map([
    ["x", { dtype: "float32" as const, tensor: tensor([1, spec.rows, width], numbers(spec.rows * width, seed, 1)) }],
  ]);
