import type { OnnxModel, OnnxNode } from "../format/index.ts";

/** Inputs of the fused norms of com.microsoft that hold a bias of the sum. */
const biasInputs: Readonly<Record<string, number>> = { SkipLayerNormalization: 4, SkipSimplifiedLayerNormalization: 3 };

/**
 * Makes the sum inside a fused norm a node of its own where other nodes read the sum too. A client that knows both
 * terms knows the sum, and can compute it without the norm weight, which may be private.
 */
export function decomposeSkipNorm(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const isFused = ({ op, domain, outputs }: OnnxNode): boolean =>
    domain === "com.microsoft" && Object.hasOwn(biasInputs, op) && (outputs[3] ?? "") !== "";
  if (!graph.nodes.some(isFused)) return model;
  const decompose = (node: OnnxNode): readonly OnnxNode[] => {
    if (!isFused(node)) return [node];
    const sum = node.outputs[3]!;
    const bias = node.inputs[biasInputs[node.op]!] ?? "";
    const add = (inputs: readonly string[], output: string): OnnxNode => ({
      ...node,
      op: "Add",
      domain: "",
      name: `${node.name}/Add`,
      inputs,
      outputs: [output],
      attributes: new Map(),
    });
    const plain = node.inputs.slice(0, 2);
    const terms = `${sum}.terms`;
    const sums = bias === "" ? [add(plain, sum)] : [add(plain, terms), add([terms, bias], sum)];
    return [...sums, { ...node, outputs: node.outputs.slice(0, 3) }];
  };
  return { ...model, graph: { ...graph, nodes: graph.nodes.flatMap(decompose) } };
}
