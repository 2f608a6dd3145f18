import { type Matcher, pairsOf, type Recogniser } from "./match.ts";

/** The operand of a mean over its last axis, which is kept. */
function meanOf({ made, type }: Matcher, id: string): string | undefined {
  const mean = made(id, "reduce-mean");
  const [axis, ...more] = (mean?.attrs.axes as readonly number[] | undefined) ?? [];
  if (!mean || more.length > 0 || mean.attrs.keepdims !== true) return undefined;
  const [x] = mean.operands as [string];
  const rank = type(x).shape.length;
  return axis === rank - 1 || axis === -1 ? x : undefined;
}

// x · (mean(x²) + ε)^−½
const rmsNorm: Recogniser = {
  name: "rms-norm",
  law: "x · rsqrt(mean(x · x) + ε) = rms-norm(x)",
  match: (op, matcher) => {
    if (op.name !== "mul") return undefined;
    const { made, scalar, emit } = matcher;
    for (const [x, y] of pairsOf(op)) {
      const sum = made(made(y, "rsqrt")?.operands[0] ?? "", "add");
      for (const [mean, by] of sum ? pairsOf(sum) : []) {
        const epsilon = scalar(by);
        const square = made(meanOf(matcher, mean) ?? "", "mul");
        if (epsilon === undefined || !square?.operands.every((operand) => operand === x)) continue;
        return emit("rms-norm", [x], { epsilon });
      }
    }
    return undefined;
  },
};

// The variance is the mean square of what is centred.
const layerNorm: Recogniser = {
  name: "layer-norm",
  law: "rms-norm(x − mean(x)) = layer-norm(x)",
  match: (op, matcher) => {
    const centred = op.name === "rms-norm" ? matcher.made(op.operands[0]!, "sub") : undefined;
    if (!centred) return undefined;
    const [x, mean] = centred.operands as [string, string];
    return meanOf(matcher, mean) === x ? matcher.emit("layer-norm", [x], { epsilon: op.attrs.epsilon! }) : undefined;
  },
};

export const normRecognisers: readonly Recogniser[] = [rmsNorm, layerNorm];
