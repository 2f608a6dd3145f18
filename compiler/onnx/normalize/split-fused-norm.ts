import { encodeElements } from "../../tensors/index.ts";
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxTensor } from "../format/index.ts";

const integerTensor = (name: string, values: readonly number[]): OnnxTensor => ({
  name,
  dtype: "int64",
  dims: [values.length],
  source: { kind: "inline", bytes: encodeElements("int64", Float64Array.from(values)) },
});

/**
 * Moves norms of queries and keys from inside attention to separate nodes before it: fused norms are for other devices,
 * and the client's runtime refuses them in the layers that it computes itself.
 */
export function splitFusedNorms(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const tables = new Map<string, OnnxTensor>();
  const nodes = graph.nodes.flatMap((node): readonly OnnxNode[] => {
    const { op, domain, inputs, attributes } = node;
    const normWeights = [inputs[14] ?? "", inputs[15] ?? ""];
    const depths = normWeights.map((name) => graph.initializers.get(name)?.dims[0]);
    const isSplittable = op === "GroupQueryAttention" && domain === "com.microsoft" && (inputs[1] ?? "") !== "";
    if (!isSplittable || depths.includes(undefined)) return [node];
    const epsilon = attributes.get("qk_norm_epsilon") ?? { kind: "float", value: 1e-6 };
    const splitNodes = [0, 1].map((index) => {
      const base = `${node.name}/${index === 0 ? "q_norm" : "k_norm"}`;
      const [heads, joined] = [
        integerTensor(`${base}.heads`, [0, 0, -1, depths[index]!]),
        integerTensor(`${base}.joined`, [0, 0, -1]),
      ];
      for (const table of [heads, joined]) tables.set(table.name, table);
      const step = (
        name: string,
        does: string,
        from: readonly string[],
        attrs: readonly [string, OnnxAttribute][] = [],
      ) => ({
        ...node,
        name: `${base}/${name}`,
        op: does,
        domain: "",
        inputs: from,
        outputs: [`${base}/${name}_output_0`],
        attributes: new Map(attrs),
      });
      const split = step("Reshape", "Reshape", [inputs[index]!, heads.name]);
      const norm = step(
        "LayerNorm",
        "SimplifiedLayerNormalization",
        [split.outputs[0]!, normWeights[index]!],
        [
          ["axis", { kind: "int", value: -1 }],
          ["epsilon", epsilon],
        ],
      );
      return [split, norm, step("Joined", "Reshape", [norm.outputs[0]!, joined.name])];
    });
    const [q, k] = splitNodes.map((steps) => steps[2]!.outputs[0]!);
    const plain = [q!, k!, ...inputs.slice(2, 14)];
    const rest = new Map([...attributes].filter(([name]) => name !== "qk_norm_epsilon"));
    return [...splitNodes.flat(), { ...node, inputs: plain, attributes: rest }];
  });
  if (tables.size === 0) return model;
  return { ...model, graph: { ...graph, nodes, initializers: new Map([...graph.initializers, ...tables]) } };
}
