import { equals, type MlBuilder, numbersOf, reduceRows, textOf, textsOf } from "./ml-builder.ts";

/** An element-wise or row-wise function of the scores [N, C], by the name of the attribute post_transform. */
const transforms: Readonly<Record<string, (builder: MlBuilder, scores: string) => string>> = {
  NONE: (_, scores) => scores,
  LOGISTIC: ({ add }, scores) => add("Sigmoid", [scores]),
  SOFTMAX: ({ add }, scores) => add("Softmax", [scores], { axis: 1 }),
  SOFTMAX_ZERO: softmaxOfOthers,
};

/** Softmax over the scores that are not 0; those stay 0. */
function softmaxOfOthers(builder: MlBuilder, scores: string): string {
  const { add, number } = builder;
  const zero = number(0);
  const grown = add("Exp", [add("Sub", [scores, reduceRows(builder, "ReduceMax", scores)])]);
  const terms = add("Where", [equals(builder, scores, zero), zero, grown]);
  return add("Div", [terms, reduceRows(builder, "ReduceSum", terms)]);
}

/** The scores after the transform that the node asks for. */
export function transformed(builder: MlBuilder, scores: string): string {
  const name = textOf(builder.node, "post_transform", "NONE");
  const transform = Object.hasOwn(transforms, name) ? transforms[name] : undefined;
  if (!transform) throw new Error(`expected a post_transform of ${Object.keys(transforms).join(", ")}, found ${name}`);
  return transform(builder, scores);
}

/**
 * Two columns of one score s: 1 − σ(s) = σ(−s) and σ(s) with LOGISTIC; else the score and its complement, which is
 * 1 − s, or −s where the weights have both signs.
 */
export function bothScores(builder: MlBuilder, score: string, complement: "one-minus" | "negated"): string {
  const { add, number, node } = builder;
  const name = textOf(node, "post_transform", "NONE");
  const isLogistic = name === "LOGISTIC";
  const above = isLogistic ? add("Sigmoid", [score]) : score;
  const below = isLogistic || complement === "one-minus" ? add("Sub", [number(1), above]) : add("Neg", [above]);
  if (name === "PROBIT") return transformed(builder, score);
  return add("Concat", [below, above], { axis: 1 });
}

/** Names of the label lists of classifiers: trees and support vectors say int64s, linear models say ints. */
const integerLists = ["classlabels_ints", "classlabels_int64s"] as const;

export interface ClassLabels {
  readonly count: number;
  /** Absent where labels are texts. */
  readonly integers?: readonly number[];
}

export function classLabels({ node }: MlBuilder): ClassLabels {
  const texts = textsOf(node, "classlabels_strings");
  const integers = integerLists.map((name) => numbersOf(node, name)).find((list) => list.length > 0) ?? [];
  return texts.length > 0 ? { count: texts.length } : { count: integers.length, integers };
}

/** The index of the largest score of each row [N, C], as an integer [N]. */
export const largestScore = ({ add }: MlBuilder, scores: string): string =>
  add("ArgMax", [scores], { axis: 1, keepdims: 0 });

/** 1 where a single score [N, 1] is positive, else 0, as an integer [N]. */
export const positiveScore = ({ add, number, integers }: MlBuilder, score: string): string =>
  add("Reshape", [add("Cast", [add("Greater", [score, number(0)])], { to: 7 }), integers([-1])]);

/** The label of an index [N]. A text has no fixed point, so that output stays a node that the import refuses. */
export function writeLabel(builder: MlBuilder, index: string): readonly string[] {
  const { integers: labels } = classLabels(builder);
  const { add, integers, output, node } = builder;
  if ((node.outputs[0] ?? "") === "") return [];
  if (!labels) return [node.outputs[0]!];
  const isCounted = labels.every((label, at) => label === at);
  output(0, isCounted ? index : add("Gather", [integers(labels), index], { axis: 0 }));
  return [];
}
