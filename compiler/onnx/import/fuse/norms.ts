import { type Fusion, type FusionMatcher, operandPairs } from "./matcher.ts";

/** The operand of a mean over its last axis with keepdims. */
function matchMean({ producer, type }: FusionMatcher, id: string): string | undefined {
  const mean = producer(id, "reduce-mean");
  const [axis, ...more] = (mean?.attrs.axes as readonly number[] | undefined) ?? [];
  if (!mean || more.length > 0 || mean.attrs.keepdims !== true) return undefined;
  const [x] = mean.operands as [string];
  const rank = type(x).shape.length;
  return axis === rank - 1 || axis === -1 ? x : undefined;
}

// x · (mean(x²) + ε)^−½
const rmsNorm: Fusion = {
  name: "rms-norm",
  law: "x · rsqrt(mean(x · x) + ε) = rms-norm(x)",
  match: (op, matcher) => {
    if (op.name !== "mul") return undefined;
    const { producer, scalar, emit } = matcher;
    for (const [x, y] of operandPairs(op)) {
      const sum = producer(producer(y, "rsqrt")?.operands[0] ?? "", "add");
      for (const [mean, by] of sum ? operandPairs(sum) : []) {
        const epsilon = scalar(by);
        const square = producer(matchMean(matcher, mean) ?? "", "mul");
        if (epsilon === undefined || !square?.operands.every((operand) => operand === x)) continue;
        return emit("rms-norm", [x], { epsilon });
      }
    }
    return undefined;
  },
};

// The variance is the mean square of the centred value.
const layerNorm: Fusion = {
  name: "layer-norm",
  law: "rms-norm(x − mean(x)) = layer-norm(x)",
  match: (op, matcher) => {
    const centred = op.name === "rms-norm" ? matcher.producer(op.operands[0]!, "sub") : undefined;
    if (!centred) return undefined;
    const [x, mean] = centred.operands as [string, string];
    return matchMean(matcher, mean) === x ? matcher.emit("layer-norm", [x], { epsilon: op.attrs.epsilon! }) : undefined;
  },
};

export const normFusions: readonly Fusion[] = [rmsNorm, layerNorm];
