import { type OnnxAttribute, type OnnxGraph, type OnnxModel, type OnnxNode, readTensor } from "../format/index.ts";

/** The contents of a sequence of tensors, where the graph determines them: tensors by name, or the parts of one. */
type SequenceValue =
  | { readonly kind: "list"; readonly names: readonly string[] }
  | {
      readonly kind: "parts";
      readonly of: string;
      readonly axis: number;
      readonly sizes: PartSizes;
      readonly keep: boolean;
    };

/** Sizes of all parts, or the size of each but the last. */
type PartSizes = readonly number[] | number;

const int = (value: number): OnnxAttribute => ({ kind: "int", value });
const ints = (...value: number[]): OnnxAttribute => ({ kind: "ints", value });
const intOf = ({ attributes }: OnnxNode, name: string, absent: number): number => {
  const found = attributes.get(name);
  return found?.kind === "int" ? found.value : absent;
};

/**
 * Replaces members of sequences with the tensors they come from: exporters write `split` and lists of tensors as
 * sequences when they fold nothing. A sequence that the graph alone does not determine stays, and the import refuses it
 * by operator.
 */
export function lowerSequences(model: OnnxModel): OnnxGraph {
  const { graph } = model;
  if (!graph.nodes.some(({ op }) => op.includes("Sequence"))) return graph;
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const numbers = (name: string | undefined): readonly number[] | undefined => {
    const made = name ? makers.get(name) : undefined;
    const value = made?.op === "Constant" ? [...made.attributes.values()][0] : undefined;
    if (value?.kind === "int") return [value.value];
    if (value?.kind === "ints") return value.value;
    const stored = value?.kind === "tensor" ? value.value : graph.initializers.get(name ?? "");
    return stored && stored.dims.length <= 1 ? [...readTensor(model, stored).data] : undefined;
  };
  const isScalar = (name: string): boolean => {
    const value = [...(makers.get(name)?.attributes.values() ?? [])][0];
    if (value) return value.kind === "int" || (value.kind === "tensor" && value.value.dims.length === 0);
    return graph.initializers.get(name)?.dims.length === 0;
  };
  const sequences = new Map<string, SequenceValue>();
  const listed = (name: string | undefined): readonly string[] | undefined => {
    const found = sequences.get(name ?? "");
    return found?.kind === "list" ? found.names : undefined;
  };
  /** The sequence that a node outputs; undefined where it outputs none, or an unknown one. */
  const sequenceOf = (node: OnnxNode): SequenceValue | undefined => {
    const [first, second, third] = node.inputs;
    if (node.op === "SequenceConstruct") return { kind: "list", names: node.inputs };
    if (node.op === "SequenceEmpty") return { kind: "list", names: [] };
    if (node.op === "SequenceInsert") {
      const names = listed(first);
      const index = third ? numbers(third)?.[0] : names?.length;
      if (!names || index === undefined || !second) return undefined;
      return { kind: "list", names: [...names.slice(0, index), second, ...names.slice(index)] };
    }
    if (node.op !== "SplitToSequence") return undefined;
    const sizes = second ? numbers(second) : [1];
    if (!sizes || sizes.some((size) => !(size > 0))) return undefined;
    return {
      kind: "parts",
      of: first!,
      axis: intOf(node, "axis", 0),
      sizes: !second || isScalar(second) ? sizes[0]! : sizes,
      keep: second !== undefined && second !== "" ? true : intOf(node, "keepdims", 1) !== 0,
    };
  };
  const nodes = graph.nodes.flatMap((node): readonly OnnxNode[] => {
    const made = sequenceOf(node);
    if (made) {
      sequences.set(node.outputs[0]!, made);
      return [];
    }
    const from = sequences.get(node.inputs[0] ?? "");
    if (!from) return [node];
    if (node.op === "SequenceAt") return sequenceMember(node, from, numbers(node.inputs[1])?.[0]) ?? [node];
    if (node.op === "ConcatFromSequence" && from.kind === "list") return joinSequence(node, from.names);
    if (node.op === "SequenceLength" && from.kind === "list") {
      return [{ ...node, op: "Constant", inputs: [], attributes: new Map([["value_int", int(from.names.length)]]) }];
    }
    return [node];
  });
  return { ...graph, nodes };
}

const derivedNode = (
  node: OnnxNode,
  op: string,
  inputs: readonly string[],
  attributes: [string, OnnxAttribute][] = [],
) => ({
  ...node,
  op,
  inputs,
  attributes: new Map(attributes),
});

function sequenceMember(
  node: OnnxNode,
  from: SequenceValue,
  index: number | undefined,
): readonly OnnxNode[] | undefined {
  if (index === undefined) return undefined;
  if (from.kind === "list") {
    const name = from.names.at(index);
    return name === undefined ? undefined : [derivedNode(node, "Identity", [name])];
  }
  const { of, axis, sizes, keep } = from;
  const equal = typeof sizes === "number";
  const at = index < 0 && !equal ? index + sizes.length : index;
  if (at < 0 || (!equal && at >= sizes.length)) return undefined;
  const start = equal ? at * sizes : sizes.slice(0, at).reduce((sum, size) => sum + size, 0);
  const end = start + (equal ? sizes : sizes[at]!);
  const slice = derivedNode(
    node,
    "Slice",
    [of],
    [
      ["starts", ints(start)],
      ["ends", ints(end)],
      ["axes", ints(axis)],
    ],
  );
  if (keep) return [slice];
  const partName = `${node.outputs[0]}.part`;
  return [{ ...slice, outputs: [partName] }, derivedNode(node, "Squeeze", [partName], [["axes", ints(axis)]])];
}

function joinSequence(node: OnnxNode, names: readonly string[]): readonly OnnxNode[] {
  const axis = intOf(node, "axis", 0);
  const raised =
    intOf(node, "new_axis", 0) === 0
      ? []
      : names.map((name, at): OnnxNode => {
          return {
            ...derivedNode(node, "Unsqueeze", [name], [["axes", ints(axis)]]),
            outputs: [`${node.outputs[0]}.${at}`],
          };
        });
  const parts = raised.length > 0 ? raised.map(({ outputs }) => outputs[0]!) : names;
  return [...raised, derivedNode(node, "Concat", parts, [["axis", int(axis)]])];
}
