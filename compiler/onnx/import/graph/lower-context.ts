import type { Attrs } from "../../../../ir/module.ts";
import { axisOf } from "../../../../ir/ops/helpers/shapes.ts";
import { scalar, type Tensor } from "../../../../ir/tensor.ts";
import { f32, type PlainElement, type Shape } from "../../../../ir/type.ts";
import type { NarrowType } from "../../../tensors/index.ts";
import type { OnnxGraph, OnnxNode, OnnxTensor } from "../../format/index.ts";
import type { ConstantOperand, GraphOperand } from "./operand.ts";

/** What a lowering may read and emit. Plain Errors that it throws become diagnostics at its node. */
export interface LowerContext {
  readonly node: OnnxNode;
  /** Version of the operator set of the node's domain. */
  readonly opset: number;
  /** The node's inputs; undefined for an omitted optional input. */
  readonly inputs: readonly (GraphOperand | undefined)[];
  readonly shape: (operand: GraphOperand) => Shape;
  readonly element: (operand: GraphOperand) => PlainElement;
  /** Applies an operator of ir/ops: evaluates it now when all operands are constants, else adds it to the module. */
  readonly emit: (op: string, operands: readonly GraphOperand[], attrs?: Attrs) => GraphOperand;
  readonly constant: (tensor: Tensor, element: PlainElement) => ConstantOperand;
  readonly read: (tensor: OnnxTensor) => Tensor;
  /** The type of a stored input that the file has in a narrow type. */
  readonly narrowOf: (index: number) => NarrowType | undefined;
  /**
   * Runs a graph inside the node on these inputs and returns its outputs; it also reads the values of the enclosing
   * graph.
   */
  readonly run: (graph: OnnxGraph, inputs: readonly GraphOperand[]) => readonly GraphOperand[];
}

/** The operands for the node's outputs, in their order. */
export type Lowering = (context: LowerContext) => GraphOperand | readonly GraphOperand[];
export type LowerTable = Readonly<Record<string, Lowering>>;

export function inputOf({ inputs }: LowerContext, index: number, name: string): GraphOperand {
  const operand = inputs[index];
  if (!operand) throw new Error(`expected the input ${name}, found none`);
  return operand;
}

/** A scalar constant, which is public. */
export const constantScalar = ({ constant }: Pick<LowerContext, "constant">, value: number): ConstantOperand =>
  constant(scalar(value), f32);

/** The values of an input that must not depend on data; undefined when it is omitted. */
export function knownInput({ inputs }: LowerContext, index: number, name: string): Tensor | undefined {
  const operand = inputs[index];
  if (!operand) return undefined;
  if (operand.kind !== "constant") throw new Error(`expected ${name} to be constant: it decides shapes`);
  return operand.tensor;
}

/** The values of a required input that must not depend on data. */
export function requiredInput(context: LowerContext, index: number, name: string): Tensor {
  return knownInput(context, index, name) ?? refuseNode(`expected the input ${name}, found none`);
}

/** Entries of a list that a lowering unrolls: a number from a hostile file must not take all memory. */
const maxListed = 2 ** 22;

/** Array.from({ length }) for a length that a file decides. */
export function boundedList<T>(length: number, entry: (at: number) => T): T[] {
  if (!(Number.isInteger(length) && length >= 0 && length <= maxListed)) {
    refuseNode(`expected a count of at most ${maxListed}, found ${length}`);
  }
  return Array.from({ length }, (_, at) => entry(at));
}

export function listInput(context: LowerContext, index: number, name: string): readonly number[] | undefined {
  const found = knownInput(context, index, name);
  return found && [...found.data];
}

export function intAttr({ node }: LowerContext, name: string, absent: number): number {
  const attribute = node.attributes.get(name);
  if (!attribute) return absent;
  if (attribute.kind !== "int" && attribute.kind !== "float") throw new Error(`expected ${name} to be a number`);
  return attribute.value;
}

export function stringAttr({ node }: LowerContext, name: string, absent: string): string {
  const attribute = node.attributes.get(name);
  if (!attribute) return absent;
  if (attribute.kind !== "string") throw new Error(`expected ${name} to be a string`);
  return attribute.value;
}

export function listAttr({ node }: LowerContext, name: string): readonly number[] | undefined {
  const attribute = node.attributes.get(name);
  if (!attribute) return undefined;
  if (attribute.kind !== "ints" && attribute.kind !== "floats") throw new Error(`expected ${name} to be a list`);
  return attribute.value;
}

/** Whether an optional output is used: lowerings compute later outputs only on demand. */
export const wantsOutput = ({ node }: LowerContext, index: number): boolean => (node.outputs[index] ?? "") !== "";

/** Axes moved from attributes to inputs in opset 13 (18 for most reductions): reads either. */
export function axesFrom(context: LowerContext, index: number, rank: number): readonly number[] | undefined {
  const axes = listAttr(context, "axes") ?? listInput(context, index, "axes");
  return axes?.map((axis) => axisOf(axis, rank));
}

/** Attributes in the form that the op tables' bindings take. */
export function toAttrs(node: OnnxNode): Attrs {
  const entries = [...node.attributes].flatMap(([name, attribute]) =>
    attribute.kind === "tensor" || attribute.kind === "graph" || attribute.kind === "unsupported"
      ? []
      : [[name, attribute.value] as const],
  );
  return Object.fromEntries(entries);
}

export function graphAttr({ node }: LowerContext, name: string): OnnxGraph {
  const attribute = node.attributes.get(name);
  if (attribute?.kind !== "graph") throw new Error(`expected ${name} to be a graph`);
  return attribute.value;
}

export function stringsAttr({ node }: LowerContext, name: string): readonly string[] | undefined {
  const attribute = node.attributes.get(name);
  if (!attribute) return undefined;
  if (attribute.kind !== "strings") throw new Error(`expected ${name} to be a list of strings`);
  return attribute.value;
}

export function refuseNode(reason: string): never {
  throw new Error(reason);
}
