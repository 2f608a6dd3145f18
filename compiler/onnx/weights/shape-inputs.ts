import type { OnnxGraph, OnnxNode } from "../format/index.ts";

/** Real inputs that decide shapes or positions, by operator: regions, factors and row counts. */
const shapeInputs: Readonly<Record<string, readonly number[]>> = {
  Resize: [1, 2],
  Upsample: [1],
  OneHot: [1],
  Range: [0, 1, 2],
};

/**
 * Names that decide only shapes, with everything computed from them. They are part of the architecture: all programs
 * for it have the same shapes, so they hold no owner's secret.
 */
export function shapeOnlyNames({ nodes, outputs }: OnnxGraph): ReadonlySet<string> {
  const used = new Set<string>();
  const other = new Set(outputs.map(({ name }) => name));
  const isStructural = (name: string): boolean => used.has(name) && !other.has(name);
  // From last to first, so that a node's readers are known when it is visited.
  for (const node of [...nodes].reverse()) {
    const indices = node.domain === "" && Object.hasOwn(shapeInputs, node.op) ? shapeInputs[node.op]! : [];
    const onlyShapes = node.outputs.filter(Boolean).every(isStructural);
    node.inputs.forEach((name, index) => {
      used.add(name);
      if (!onlyShapes && !indices.includes(index)) other.add(name);
    });
    for (const name of innerGraphNames(node)) other.add(name);
  }
  return new Set([...used].filter(isStructural));
}

/**
 * Names of what is read as an exponent alone. A whole or half exponent is a formula of the architecture, which decides
 * the operators of the program; any other may be trained, and stays a weight.
 */
export function exponentNames({ nodes, outputs }: OnnxGraph): ReadonlySet<string> {
  const other = new Set(outputs.map(({ name }) => name));
  const exponents = new Set<string>();
  for (const node of nodes) {
    const isPower = node.domain === "" && node.op === "Pow";
    node.inputs.forEach((name, index) => {
      if (isPower && index === 1) exponents.add(name);
      else other.add(name);
    });
    for (const name of innerGraphNames(node)) other.add(name);
  }
  return new Set([...exponents].filter((name) => !other.has(name)));
}

/** Names of the operands of integer products: the weights of a quantized model are integers there. */
export function integerFactorNames({ nodes }: OnnxGraph): ReadonlySet<string> {
  const products = nodes.filter(({ op, domain }) => domain === "" && (op === "MatMulInteger" || op === "ConvInteger"));
  return new Set(products.flatMap(({ inputs }) => inputs.slice(0, 2)));
}

/** Every name that the graphs inside a node read. */
export function innerGraphNames(node: OnnxNode): readonly string[] {
  return [...node.attributes.values()].flatMap((attribute) => {
    if (attribute.kind !== "graph") return [];
    const { nodes, outputs } = attribute.value;
    return [
      ...nodes.flatMap((inner) => [...inner.inputs, ...innerGraphNames(inner)]),
      ...outputs.map(({ name }) => name),
    ];
  });
}
