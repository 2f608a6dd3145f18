import { bothScores, classLabels, transformed, writeLabel } from "./class-scores.ts";
import { type MlBuilder, numberOf, numbersOf, reduceRows, textOf } from "./ml-builder.ts";

/** The kernel of every row with every support vector, [N, vectors], by the name of kernel_type. */
const kernels: Readonly<Record<string, (builder: MlBuilder, x: string, vectors: SupportVectors) => string>> = {
  LINEAR: (builder, x, vectors) => products(builder, x, vectors, 1),
  RBF: (builder, x, vectors) => {
    // ‖x − s‖² = ‖x‖² − 2·x·s + ‖s‖², where the client knows ‖x‖².
    const { add, weight } = builder;
    const lengths = vectors.rows.map((row) => row.reduce((sum, value) => sum + value * value, 0));
    const own = reduceRows(builder, "ReduceSum", add("Mul", [x, x]));
    const parts = add("Add", [products(builder, x, vectors, -2), weight("lengths", [lengths.length], lengths)]);
    return add("Exp", [add("Mul", [add("Add", [parts, own]), weight("gamma", [1], [-vectors.gamma])])]);
  },
  POLY: (builder, x, vectors) => {
    const { add, number } = builder;
    if (!Number.isInteger(vectors.degree) || vectors.degree < 1)
      throw new Error(`a polynomial of degree ${vectors.degree}`);
    return add("Pow", [affine(builder, x, vectors), number(vectors.degree)]);
  },
  SIGMOID: (builder, x, vectors) => builder.add("Tanh", [affine(builder, x, vectors)]),
};

interface SupportVectors {
  readonly rows: readonly (readonly number[])[];
  readonly gamma: number;
  readonly offset: number;
  readonly degree: number;
}

/** factor · x·s, with the support vectors as columns. */
function products({ add, weight }: MlBuilder, x: string, { rows }: SupportVectors, factor: number): string {
  const [width, count] = [rows[0]!.length, rows.length];
  const values = Array.from({ length: width * count }, (_, at) => factor * rows[at % count]![Math.floor(at / count)]!);
  return add("MatMul", [x, weight("support_vectors", [width, count], values)]);
}

/** gamma · x·s + offset */
const affine = (builder: MlBuilder, x: string, vectors: SupportVectors): string => {
  const scaled = products(builder, x, vectors, vectors.gamma);
  return vectors.offset === 0 ? scaled : builder.add("Add", [scaled, builder.weight("offset", [1], [vectors.offset])]);
};

function readVectors({ node }: MlBuilder, count: number): SupportVectors {
  const values = numbersOf(node, "support_vectors");
  const width = values.length / count;
  if (!Number.isInteger(width) || width < 1 || count < 1)
    throw new Error(`expected ${count} support vectors of one length, found ${values.length} numbers`);
  const [gamma = 0, offset = 0, degree = 0] = numbersOf(node, "kernel_params");
  const rows = Array.from({ length: count }, (_, at) => values.slice(at * width, (at + 1) * width));
  return { rows, gamma, offset, degree };
}

function kernelOf(builder: MlBuilder, x: string, count: number): string {
  const name = textOf(builder.node, "kernel_type", "LINEAR");
  const kernel = Object.hasOwn(kernels, name) ? kernels[name] : undefined;
  if (!kernel) throw new Error(`expected a kernel_type of ${Object.keys(kernels).join(", ")}, found ${name}`);
  return kernel(builder, x, readVectors(builder, count));
}

/** Σ coefficient · kernel + rho; without support vectors x·coefficients + rho. */
export function svmRegressor(builder: MlBuilder): readonly string[] {
  const { node, add, real, weight, output, number } = builder;
  const [coefficients, [rho = 0]] = [numbersOf(node, "coefficients"), numbersOf(node, "rho")];
  const count = numberOf(node, "n_supports", 0);
  const terms = count > 0 ? kernelOf(builder, real(0), count) : real(0);
  const weights = weight("coefficients", [coefficients.length, 1], coefficients);
  const score = add("Add", [add("MatMul", [terms, weights]), weight("rho", [1], [rho])]);
  if (numberOf(node, "one_class", 0) === 0) output(0, transformed(builder, score));
  else output(0, add("Where", [add("Greater", [score, number(0)]), number(1), number(-1)]));
  return [];
}

/**
 * Decisions between pairs of classes i < j, in libsvm's order: Σ coefficient · kernel over the support vectors of both,
 * plus rho. The coefficients of a vector of class c are one row for each other class.
 */
function pairDecisions(builder: MlBuilder, counts: readonly number[]): string {
  const { node, add, real, weight } = builder;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const coefficients = numbersOf(node, "coefficients");
  if (coefficients.length !== total * (counts.length - 1))
    throw new Error(
      `expected ${counts.length - 1} coefficients of each of ${total} support vectors, found ${coefficients.length}`,
    );
  const starts = counts.map((_, at) => counts.slice(0, at).reduce((sum, count) => sum + count, 0));
  const pairs = pairsOf(counts.length);
  const matrix = new Float64Array(total * pairs.length);
  for (const [pair, [i, j]] of pairs.entries()) {
    for (const [own, row] of [
      [i, j - 1],
      [j, i],
    ] as const) {
      for (let at = starts[own]!; at < starts[own]! + counts[own]!; at++) {
        matrix[at * pairs.length + pair] = coefficients[row * total + at]!;
      }
    }
  }
  const sums = add("MatMul", [
    kernelOf(builder, real(0), total),
    weight("coefficients", [total, pairs.length], [...matrix]),
  ]);
  return add("Add", [sums, weight("rho", [pairs.length], numbersOf(node, "rho"))]);
}

const pairsOf = (classes: number): readonly (readonly [number, number])[] =>
  Array.from({ length: classes }, (_, i) => i).flatMap((i) =>
    Array.from({ length: classes - i - 1 }, (_, k) => [i, i + 1 + k] as const),
  );

export function svmClassifier(builder: MlBuilder): readonly string[] {
  const { node, add, output, number, weight, integers } = builder;
  const counts = numbersOf(node, "vectors_per_class");
  if (counts.length < 2 || counts.length !== classLabels(builder).count)
    throw new Error("a classifier without support vectors of each class: export LinearSVC for linear kernels");
  const [slopes, offsets] = [numbersOf(node, "prob_a"), numbersOf(node, "prob_b")];
  const decisions = pairDecisions(builder, counts);
  if (slopes.length > 0 && counts.length > 2)
    throw new Error(
      "probabilities of more than two classes, which libsvm finds by iteration: train with probability=False",
    );
  if (counts.length > 2) {
    output(1, transformed(builder, decisions));
    return writeLabel(builder, votesOf(builder, decisions, counts.length));
  }
  // The decision is positive for the first class, whatever the probabilities say.
  const isSecond = add("Cast", [add("Not", [add("Greater", [decisions, number(0)])])], { to: 7 });
  if (slopes.length > 0) {
    const line = add("Add", [add("Mul", [decisions, weight("prob_a", [1], slopes)]), weight("prob_b", [1], offsets)]);
    const above = add("Sigmoid", [line]);
    output(1, add("Concat", [add("Sub", [number(1), above]), above], { axis: 1 }));
  } else {
    output(
      1,
      bothScores(builder, decisions, textOf(node, "post_transform", "NONE") === "NONE" ? "negated" : "one-minus"),
    );
  }
  return writeLabel(builder, add("Reshape", [isSecond, integers([-1])]));
}

/** The class with the most pairs decided for it, the first of several: Σ ±[decision > 0], up to a constant each. */
function votesOf(builder: MlBuilder, decisions: string, classes: number): string {
  const { add, number, integers } = builder;
  const pairs = pairsOf(classes);
  const signs = pairs.flatMap(([i, j]) =>
    Array.from({ length: classes }, (_, at) => (at === i ? 1 : at === j ? -1 : 0)),
  );
  const first = add("Cast", [add("Greater", [decisions, number(0)])], { to: 1 });
  const sums = add("MatMul", [first, add("Cast", [integers(signs, [pairs.length, classes])], { to: 1 })]);
  // A class j starts with one vote for each pair (i, j), which it loses to i.
  const starts = Array.from({ length: classes }, (_, at) => at);
  return add("ArgMax", [add("Add", [sums, add("Cast", [integers(starts)], { to: 1 })])], { axis: 1, keepdims: 0 });
}
