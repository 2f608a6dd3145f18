import { encodeElements } from "../../tensors/index.ts";
import { createUnusedNames, type OnnxModel, type OnnxNode, type OnnxTensor } from "../format/index.ts";

/** Exponents of powers of two by tensor, one for each index of its last axis. */
export type FeatureExponents = ReadonlyMap<string, readonly number[]>;

/** A model with factors of features. */
export interface ScaledModel {
  readonly model: OnnxModel;
  /** Who knows the new initializers: everybody the factors of the client's features, the server their inverses. */
  readonly made: ReadonlyMap<string, "public" | "server">;
}

/**
 * x = (x·2^−k)·2^k, exactly: every reader of such a tensor reads it scaled and unscaled. Whoever knows x computes the
 * first product in the clear, and the second folds into the matrix that it meets.
 */
export function insertScales(model: OnnxModel, exponents: FeatureExponents): ScaledModel {
  const { graph } = model;
  const dtype = graph.inputs.some((input) => input.dtype === "float64") ? "float64" : "float32";
  const taken = new Set([
    ...graph.initializers.keys(),
    ...graph.inputs.map(({ name }) => name),
    ...graph.nodes.flatMap(({ name, outputs }) => [name, ...outputs]),
  ]);
  const unused = createUnusedNames((name) => taken.has(name));
  const nameFor = (base: string): string => {
    const name = unused(base, (n) => `${base}.${n}`);
    taken.add(name);
    return name;
  };
  const scaled = new Map(
    [...exponents].map(([tensor, powers]) => [tensor, scalesOf(tensor, powers, dtype, nameFor)] as const),
  );
  const behind = (names: readonly string[]): readonly OnnxNode[] =>
    names.flatMap((name) => scaled.get(name)?.nodes ?? []);
  const reading = (node: OnnxNode): OnnxNode => ({
    ...node,
    inputs: node.inputs.map((name) => scaled.get(name)?.result ?? name),
  });
  const tensors = [...scaled.values()].flatMap(({ scale, inverse }) => [scale, inverse]);
  const nodes = [
    ...behind(graph.inputs.map(({ name }) => name)),
    ...graph.nodes.flatMap((node) => [reading(node), ...behind(node.outputs)]),
  ];
  const initializers = new Map([...graph.initializers, ...tensors.map((tensor) => [tensor.name, tensor] as const)]);
  return {
    model: { ...model, graph: { ...graph, initializers, nodes } },
    made: new Map(
      [...scaled.values()].flatMap(
        ({ scale, inverse }) =>
          [
            [scale.name, "public"],
            [inverse.name, "server"],
          ] as const,
      ),
    ),
  };
}

function scalesOf(
  tensor: string,
  powers: readonly number[],
  dtype: "float32" | "float64",
  nameFor: (base: string) => string,
) {
  const factors = (kind: string, sign: number): OnnxTensor => {
    const values = Float64Array.from(powers, (power) => 2 ** (sign * power));
    const source = { kind: "inline", bytes: encodeElements(dtype, values) } as const;
    return { name: nameFor(`${tensor}.${kind}`), dtype, dims: [powers.length], source };
  };
  const product = (from: string, factor: OnnxTensor, to: string): OnnxNode => ({
    ...{ name: to, op: "Mul", domain: "", inputs: [from, factor.name], outputs: [to] },
    ...{ attributes: new Map(), metadata: new Map() },
  });
  const [scale, inverse] = [factors("scale", -1), factors("unscale", 1)];
  const [inside, result] = [nameFor(`${tensor}.scaled`), nameFor(`${tensor}.unscaled`)];
  return { scale, inverse, result, nodes: [product(tensor, scale, inside), product(inside, inverse, result)] };
}
