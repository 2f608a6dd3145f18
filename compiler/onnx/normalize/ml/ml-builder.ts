import { sizeOf } from "../../../../ir/type.ts";
import { encodeElements } from "../../../tensors/index.ts";
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxTensor } from "../../format/index.ts";
import { createUnusedNames, unnamedNode } from "../../format/index.ts";

type AttributeValue = number | string | readonly number[];

/** Writes one node of ai.onnx.ml as nodes of the default domain and stored tensors. */
export interface MlBuilder {
  readonly node: OnnxNode;
  /** Version of the default operator set. */
  readonly opset: number;
  /** An input in float32: these operators take integers too, and compute with reals. */
  readonly real: (index: number) => string;
  /** Stores numbers that have an owner: `Scaler.offset`. */
  readonly weight: (role: string, dims: readonly number[], values: readonly number[]) => string;
  /** Stores integers that belong to the graph: sizes, axes, positions, labels. */
  readonly integers: (values: readonly number[], dims?: readonly number[]) => string;
  /** Stores a number that belongs to the graph. */
  readonly number: (value: number) => string;
  /** Adds a node and returns its result. */
  readonly add: (
    op: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, AttributeValue>>,
  ) => string;
  /** Makes a value an output of the node, if it is used. */
  readonly output: (index: number, value: string) => void;
}

/** What all builders of a model add. */
export interface MlAdditions {
  readonly nodes: OnnxNode[];
  readonly initializers: Map<string, OnnxTensor>;
}

/** Axes that operators of reduction take as an input from this operator set on, as an attribute before. */
const axesInputSince: Readonly<Record<string, number>> = { ReduceSum: 13, ReduceMax: 18, ReduceL1: 18, ReduceL2: 18 };

/** Σ, max or a norm over the last of two axes, which stays. */
export function reduceRows({ add, integers, opset }: MlBuilder, op: string, x: string): string {
  return opset >= axesInputSince[op]!
    ? add(op, [x, integers([1])], { keepdims: 1 })
    : add(op, [x], { axes: [1], keepdims: 1 });
}

/** Adds or removes a last axis of size 1. Axes count from the end since operator set 11. */
export function atLastAxis({ add, integers, opset }: MlBuilder, op: "Squeeze" | "Unsqueeze", x: string): string {
  if (opset < 11) throw new Error(`export the model with a default operator set of 11 or more, found ${opset}`);
  return opset >= 13 ? add(op, [x, integers([-1])]) : add(op, [x], { axes: [-1] });
}

/** Columns from `start` up to `end`. */
export const columns = ({ add, integers, opset }: MlBuilder, x: string, start: number, end: number): string =>
  opset >= 10
    ? add("Slice", [x, integers([start]), integers([end]), integers([1])])
    : add("Slice", [x], { starts: [start], ends: [end], axes: [1] });

/** x = y for reals, which Equal takes since operator set 11. */
export const equals = ({ add, opset }: MlBuilder, x: string, y: string): string =>
  opset >= 11 ? add("Equal", [x, y]) : add("Not", [add("Or", [add("Greater", [x, y]), add("Less", [x, y])])]);

export type BuilderSource = (node: OnnxNode, into: MlAdditions) => MlBuilder;

/** Builders for the nodes of a model: all names that they make are unused. */
export function createMlBuilders({ graph, opsets }: OnnxModel): BuilderSource {
  const taken = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((node) => node.outputs),
  ]);
  const free = createUnusedNames((name) => taken.has(name));
  const fresh = (base: string): string => {
    const name = free(base, (n) => `${base}_${n}`);
    taken.add(name);
    return name;
  };
  // ONNX Runtime refuses two nodes of one name.
  const nodeNames = new Set(graph.nodes.map(({ name }) => name));
  const freeNode = createUnusedNames((name) => nodeNames.has(name));
  const nodeName = (base: string): string => {
    const name = freeNode(base, (n) => `${base}_${n}`);
    nodeNames.add(name);
    return name;
  };
  const modules = new Set<string>();
  const freeModule = createUnusedNames((name) => modules.has(name));
  return (node, { nodes, initializers }) => {
    // A name with a dot is a parameter's name, so even a single number under it has an owner.
    const isUnnamed = node.name === unnamedNode(node.op, node.outputs);
    const word = (isUnnamed ? node.op : node.name).replace(/\W+/g, "_").replace(/^(?=\d)/, "_");
    const module = freeModule(word, (n) => `${word}_${n}`);
    modules.add(module);
    const store = (name: string, dtype: "float32" | "int64", dims: readonly number[], values: readonly number[]) => {
      const bytes = encodeElements(dtype, Float64Array.from(values));
      initializers.set(name, { name, dtype, dims, source: { kind: "inline", bytes } });
      return name;
    };
    const add: MlBuilder["add"] = (op, inputs, attributes = {}) => {
      const output = fresh(`${module}/${op}_output`);
      nodes.push({
        ...node,
        name: nodeName(`${node.name}/${op}`),
        op,
        domain: "",
        inputs,
        outputs: [output],
        attributes: new Map(Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)])),
      });
      return output;
    };
    return {
      node,
      opset: opsets.get("") ?? defaultOpset,
      add,
      real: (index) => add("Cast", [node.inputs[index] ?? ""], { to: 1 }),
      weight: (role, dims, values) => {
        const fits = dims.every((dim) => Number.isSafeInteger(dim) && dim > 0) && values.length === sizeOf(dims);
        if (!fits) throw new Error(`expected ${dims.join(" × ")} numbers of ${role}, found ${values.length}`);
        return store(fresh(`${module}.${role}`), "float32", dims, values);
      },
      integers: (values, dims = [values.length]) => store(fresh(`${module}/integers_1`), "int64", dims, values),
      number: (value) => store(fresh(`${module}/number_1`), "float32", [], [value]),
      output: (index, value) => {
        const output = node.outputs[index] ?? "";
        if (output === "") return;
        nodes.push({
          ...node,
          name: nodeName(`${node.name}/Identity`),
          op: "Identity",
          domain: "",
          inputs: [value],
          outputs: [output],
          attributes: new Map(),
        });
      },
    };
  };
}

/** The default operator set of a model that imports ai.onnx.ml alone. */
export const defaultOpset = 17;

function attributeOf(value: AttributeValue): OnnxAttribute {
  if (typeof value === "string") return { kind: "string", value };
  return typeof value === "number" ? { kind: "int", value } : { kind: "ints", value };
}

/** An attribute with numbers; empty where it is absent. */
export function numbersOf({ attributes }: OnnxNode, name: string): readonly number[] {
  const attribute = attributes.get(name);
  if (!attribute) return [];
  if (attribute.kind !== "floats" && attribute.kind !== "ints")
    throw new Error(`expected ${name} to be a list of numbers`);
  return attribute.value;
}

/** An attribute that is one number. */
export function numberOf({ attributes }: OnnxNode, name: string, absent: number): number {
  const attribute = attributes.get(name);
  if (!attribute) return absent;
  if (attribute.kind !== "float" && attribute.kind !== "int") throw new Error(`expected ${name} to be a number`);
  return attribute.value;
}

export function textOf({ attributes }: OnnxNode, name: string, absent: string): string {
  const attribute = attributes.get(name);
  if (!attribute) return absent;
  if (attribute.kind !== "string") throw new Error(`expected ${name} to be text`);
  return attribute.value;
}

export function textsOf({ attributes }: OnnxNode, name: string): readonly string[] {
  const attribute = attributes.get(name);
  if (!attribute) return [];
  if (attribute.kind !== "strings") throw new Error(`expected ${name} to be a list of texts`);
  return attribute.value;
}
