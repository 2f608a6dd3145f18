import { bothScores, classLabels, largestScore, positiveScore, transformed, writeLabel } from "./class-scores.ts";
import { type MlBuilder, numberOf, numbersOf } from "./ml-builder.ts";

/** X·Wᵀ + b, with W [rows, features] and b [rows]; without b where the node has none. */
function product(builder: MlBuilder, rows: number): string {
  const { node, add, real, weight } = builder;
  const coefficients = numbersOf(node, "coefficients");
  const intercepts = numbersOf(node, "intercepts");
  const w = weight("coefficients", [rows, coefficients.length / rows], coefficients);
  // Without a third operand, Gemm is an operator of set 11.
  if (intercepts.length === 0) return add("MatMul", [real(0), add("Transpose", [w], { perm: [1, 0] })]);
  return add("Gemm", [real(0), w, weight("intercepts", [rows], intercepts)], { transB: 1 });
}

export function linearRegressor(builder: MlBuilder): readonly string[] {
  const scores = product(builder, numberOf(builder.node, "targets", 1));
  builder.output(0, transformed(builder, scores));
  return [];
}

/** One row of weights with two labels is the score of the second, and the first has its complement. */
export function linearClassifier(builder: MlBuilder): readonly string[] {
  const { node, output } = builder;
  const { count } = classLabels(builder);
  const rows = Math.max(1, numbersOf(node, "intercepts").length || (count > 2 ? count : 1));
  const scores = product(builder, rows);
  const single = rows === 1;
  output(1, single && count === 2 ? bothScores(builder, scores, "one-minus") : transformed(builder, scores));
  return writeLabel(builder, single ? positiveScore(builder, scores) : largestScore(builder, scores));
}
