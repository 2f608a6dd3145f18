import type { onnx as proto } from "onnx-proto";
import { constant, info, model, node } from "../fuzz/build-model.ts";
import { createRandom, type Random } from "../fuzz/random.ts";

/** A network that nobody has seen, and what its inputs look like. */
export interface RandomNetwork {
  readonly bytes: Uint8Array;
  readonly inputShape: readonly number[];
  /** Names of its layers, for reports. */
  readonly layers: readonly string[];
  /** An input whose magnitudes are about `scale`. */
  readonly input: (scale: number) => Float64Array;
}

/** Uniform in [0, 1), in steps of 2^−24. */
const uniform = (random: Random): number => random.below(2 ** 24) / 2 ** 24;

/** Normal by the central limit of twelve, cut off at six deviations. */
const normal = (random: Random): number =>
  Array.from({ length: 12 }, () => uniform(random)).reduce((sum, x) => sum + x, -6);

/** A graph under construction: the value at its end has the shape [rows, width]. */
interface Draft {
  readonly random: Random;
  readonly rows: number;
  width: number;
  last: string;
  readonly nodes: proto.INodeProto[];
  readonly weights: proto.ITensorProto[];
  readonly layers: string[];
}

function weight(draft: Draft, dims: readonly number[], deviation: number, mean = 0): string {
  const count = dims.reduce((product, size) => product * size, 1);
  const name = `w${draft.weights.length}`;
  const floatData = Array.from({ length: count }, () => Math.fround(mean + deviation * normal(draft.random)));
  draft.weights.push({ name, dims: [...dims], dataType: 1, floatData });
  return name;
}

function scalar(draft: Draft, value: number): string {
  const output = `v${draft.nodes.length}`;
  draft.nodes.push({ ...constant(output, "value_float", { float: value }), name: `/${output}` });
  return output;
}

function add(draft: Draft, op: string, inputs: string, attributes: Parameters<typeof node>[3] = {}): string {
  const output = `v${draft.nodes.length}`;
  draft.nodes.push({ ...node(op, inputs, output, attributes), name: `/layers.${draft.nodes.length}/${op}` });
  return output;
}

type Layer = (draft: Draft) => string;

const elementwise =
  (op: string): Layer =>
  (draft) =>
    add(draft, op, draft.last);

const linear: Layer = (draft) => {
  const width = draft.random.pick([3, 8, 16, 40]);
  // From much smaller to larger weights than any initialisation.
  const gain = 2 ** (4 * uniform(draft.random) - 2);
  const matrix = weight(draft, [draft.width, width], gain / Math.sqrt(draft.width));
  const product = add(draft, "MatMul", `${draft.last} ${matrix}`);
  draft.width = width;
  return add(draft, "Add", `${product} ${weight(draft, [width], gain / 4)}`);
};

const residual: Layer = (draft) => {
  const before = draft.last;
  const square = weight(draft, [draft.width, draft.width], uniform(draft.random) / Math.sqrt(draft.width));
  const product = add(draft, "MatMul", `${before} ${square}`);
  return add(draft, "Add", `${before} ${add(draft, draft.random.pick(["Relu", "Tanh", "Sigmoid"]), product)}`);
};

const norm: Layer = (draft) => {
  const [gain, bias] = [weight(draft, [draft.width], 0.3, 1), weight(draft, [draft.width], 0.3)];
  return add(draft, "LayerNormalization", `${draft.last} ${gain} ${bias}`, { axis: -1, epsilon: { float: 1e-5 } });
};

const selfAttention: Layer = (draft) => {
  const projection = (): string =>
    add(draft, "MatMul", `${draft.last} ${weight(draft, [draft.width, draft.width], 1.5 / draft.width)}`);
  const [q, k, v] = [projection(), projection(), projection()];
  const scores = add(draft, "MatMul", `${q} ${add(draft, "Transpose", k, { perm: [1, 0] })}`);
  return add(draft, "MatMul", `${add(draft, "Softmax", scores, { axis: -1 })} ${v}`);
};

const gated: Layer = (draft) => {
  const product = add(draft, "MatMul", `${draft.last} ${weight(draft, [draft.width, draft.width], 1 / draft.width)}`);
  return add(draft, "Mul", `${draft.last} ${add(draft, "Sigmoid", product)}`);
};

const square: Layer = (draft) => add(draft, "Mul", `${draft.last} ${draft.last}`);

/** A private threshold, between private answers: errors before it may flip the decision. */
const threshold: Layer = (draft) => {
  const above = add(draft, "Greater", `${draft.last} ${weight(draft, [draft.width], 0.3)}`);
  return add(draft, "Where", `${above} ${weight(draft, [1], 1, 2)} ${weight(draft, [1], 1, -2)}`);
};

/** Continuous, though it compares. */
const leaky: Layer = (draft) => {
  const [zero, slope] = [scalar(draft, 0), scalar(draft, 0.01)];
  const above = add(draft, "Greater", `${draft.last} ${zero}`);
  return add(draft, "Where", `${above} ${draft.last} ${add(draft, "Mul", `${draft.last} ${slope}`)}`);
};

const catalog: Readonly<Record<string, Layer>> = {
  linear,
  residual,
  norm,
  attention: selfAttention,
  gated,
  square,
  relu: elementwise("Relu"),
  tanh: elementwise("Tanh"),
  sigmoid: elementwise("Sigmoid"),
  abs: elementwise("Abs"),
  threshold,
  leaky,
  softmax: (draft) => add(draft, "Softmax", draft.last, { axis: -1 }),
};

/** The network of a seed: one to five layers, of which the first and the last are linear. */
export function randomNetwork(seed: number): RandomNetwork {
  const random = createRandom(seed);
  const rows = random.pick([1, 2, 5]);
  const width = random.pick([4, 8, 12]);
  const draft: Draft = { random, rows, width, last: "x", nodes: [], weights: [], layers: [] };
  const middle = Array.from({ length: random.below(4) }, () => random.pick(Object.keys(catalog)));
  for (const name of ["linear", ...middle, "linear"]) {
    draft.last = catalog[name]!(draft);
    draft.layers.push(name);
  }
  draft.nodes.push({ ...node("Identity", draft.last, "y"), name: "/end/Identity" });
  const inputShape = [rows, width];
  return {
    bytes: model("random", 17, [info("x", inputShape)], ["y"], draft.weights, draft.nodes),
    inputShape,
    layers: draft.layers,
    input: (scale) => Float64Array.from({ length: rows * width }, () => Math.fround((scale * normal(random)) / 2)),
  };
}
