import { describe, expect, it } from "vitest";
import { fuseOperators } from "../../../../compiler/onnx/import/fuse/index.ts";
import { opsOf } from "../../../../ir/module.ts";
import { type Tensor, tensor } from "../../../../ir/tensor.ts";
import { bool } from "../../../../ir/type.ts";
import { type Made, type Sketch, settled, single, sketch } from "./module-sketch.ts";

const [batch, heads, groups, length, depth] = [1, 4, 2, 3, 8];
const headsPerGroup = heads / groups;
const hidden = -3.4e38;

type Mask = (sketch: Sketch, scores: string) => string;

/** The ways in which exporters write the same attention. */
interface AttentionForm {
  readonly scale?: "scores" | "both" | "quotient";
  readonly grouped?: boolean;
  readonly merged?: boolean;
  readonly guard?: boolean;
  readonly mask?: Mask;
}

/** Each head of keys or values once for every head of queries in its group. */
function repeatedHeads({ builder }: Sketch, grouped: string): string {
  const parted = builder.op("reshape", [grouped], { shape: [batch, groups, 1, length, depth] });
  const wide = builder.op("expand", [parted], { shape: [batch, groups, headsPerGroup, length, depth] });
  return builder.op("reshape", [wide], { shape: [batch, heads, length, depth] });
}

/** The transpose of the last two axes by way of three axes, with batch and heads merged. */
function transposedWhileMerged({ builder }: Sketch, keys: string): string {
  const flat = builder.op("reshape", [keys], { shape: [batch * heads, length, depth] });
  const turned = builder.op("transpose", [flat], { perm: [0, 2, 1] });
  return builder.op("reshape", [turned], { shape: [batch, heads, depth, length] });
}

function scaledScores({ op, constant }: Sketch, scale: AttentionForm["scale"], q: string, keys: string): string {
  if (scale === "both") {
    const factor = constant(single(depth ** -0.25));
    return op("matmul", op("mul", q, factor), op("mul", keys, factor));
  }
  const scores = op("matmul", q, keys);
  return scale === "quotient" ? op("div", scores, constant(4)) : op("mul", scores, constant(0.25));
}

const attention = ({ scale = "scores", grouped, merged, guard, mask }: AttentionForm): Made =>
  sketch((s) => {
    const { builder, x, op, constant } = s;
    const keyHeads = grouped ? groups : heads;
    const q = x("q", batch, heads, length, depth);
    const k = x("k", batch, keyHeads, length, depth);
    const v = x("v", batch, keyHeads, length, depth);

    const everyKey = grouped ? repeatedHeads(s, k) : k;
    const keys = merged
      ? transposedWhileMerged(s, everyKey)
      : builder.op("transpose", [everyKey], { perm: [0, 1, 3, 2] });
    const scores = scaledScores(s, scale, q, keys);
    const softmax = op("softmax", mask ? mask(s, scores) : scores);
    const weights = guard ? op("where", op("is-nan", softmax), constant(0), softmax) : softmax;
    return op("matmul", weights, grouped ? repeatedHeads(s, v) : v);
  });

const attentionWithMask = (mask: Mask): Made => attention({ mask });

/** Whether a query sees the key that is `back` positions before it. */
type Sees = (back: number) => boolean;
const past: Sees = (back) => back >= 0;
const everything: Sees = () => true;
const isWithin =
  (window: number): Sees =>
  (back) =>
    back < window;

/** A table of all queries by all keys. */
const queryByKey = (sees: Sees, visible: number, unseen: number): Tensor =>
  tensor(
    [1, 1, length, length],
    Array.from({ length: length * length }, (_, at) => {
      const [query, key] = [Math.floor(at / length), at % length];
      return sees(query - key) ? visible : unseen;
    }),
  );
const additiveMask = (sees: Sees): Tensor => queryByKey(sees, 0, hidden);
const condition = ({ builder, constant }: Sketch, sees: Sees): string =>
  builder.op("cast", [constant(queryByKey(sees, 1, 0))], { to: "bool" });
const both = ({ builder }: Sketch, left: string, right: string): string =>
  builder.op("logic", [left, right], { kind: "and" });
const clientPadding = ({ builder }: Sketch): string =>
  builder.input("padding", { label: "client", element: bool, shape: [1, 1, 1, length] });
const addWhereHidden = ({ op, constant }: Sketch, seen: string, scores: string): string =>
  op("add", scores, op("where", seen, constant(0), constant(hidden)));

function fusedAttention({ module, weights }: Made) {
  const after = fuseOperators(module, weights).module;
  const op = opsOf(after).find(({ name }) => name === "attention")!;
  return { causal: op.attrs.causal, window: op.attrs.window, operands: op.operands.length };
}

describe("attention without a mask", () => {
  it.each<{ readonly title: string; readonly form: AttentionForm }>([
    { title: "scaled scores", form: {} },
    { title: "scaled queries and keys", form: { scale: "both" } },
    { title: "divided scores and a guard against NaN", form: { scale: "quotient", guard: true } },
    { title: "grouped heads", form: { grouped: true } },
    {
      title: "grouped heads, scaled queries and merged keys, and a guard against NaN",
      form: { grouped: true, scale: "both", merged: true, guard: true },
    },
  ])("is found with $title", ({ form }) => {
    const exported = attention(form);

    const operators = settled(exported);

    expect(operators).toEqual({ attention: 1 });
  });

  it("is not found with a softmax over another axis", () => {
    const overQueries = sketch(({ builder, x, op }) => {
      const q = x("q", 1, 2, 3, 3);
      const k = x("k", 1, 2, 3, 3);
      const weights = builder.op("softmax", [op("matmul", q, k)], { axis: 2 });
      return op("matmul", weights, q);
    });

    const operators = settled(overQueries);

    expect(operators).toEqual({ matmul: 2, softmax: 1 });
  });

  it("gives batches of three axes one head each", () => {
    const threeAxes = sketch(({ builder, x, op }) => {
      const keys = builder.op("transpose", [x("k", 4, 5, 8)], { perm: [0, 2, 1] });
      const weights = op("softmax", op("matmul", x("q", 4, 3, 8), keys));
      return op("matmul", weights, x("v", 4, 5, 6));
    });

    const operators = settled(threeAxes);

    expect(operators).toMatchObject({ attention: 1, reshape: 4 });
  });
});

describe("attention with a constant mask", () => {
  it("drops a causal mask that is added, and becomes causal", () => {
    const causal = attentionWithMask((s, scores) => s.op("add", s.constant(additiveMask(past)), scores));

    const operators = settled(causal);

    expect(operators).toEqual({ attention: 1 });
    expect(fusedAttention(causal)).toEqual({ causal: true, window: 0, operands: 3 });
  });

  it("drops a mask that hides nothing, and is not causal", () => {
    const open = attentionWithMask((s, scores) => s.op("add", scores, s.constant(additiveMask(everything))));

    const fused = fusedAttention(open);

    expect(fused).toEqual({ causal: false, window: 0, operands: 3 });
  });

  it("drops a causal condition on the scores", () => {
    const selected = attentionWithMask((s, scores) => s.op("where", condition(s, past), scores, s.constant(hidden)));

    const operators = settled(selected);

    expect(operators.attention).toBe(1);
  });

  it("drops a causal window", () => {
    const window = 2;
    const seesWindow: Sees = (back) => past(back) && isWithin(window)(back);
    const windowed = attentionWithMask((s, scores) => s.op("add", scores, s.constant(additiveMask(seesWindow))));

    const operators = settled(windowed);

    expect(operators).toEqual({ attention: 1 });
    expect(fusedAttention(windowed)).toEqual({ causal: true, window, operands: 3 });
  });

  it("keeps a mask that hides more than the future", () => {
    const mask = additiveMask(past);
    const data = mask.data.slice();
    const firstKeyOfSecondQuery = length;
    data[firstKeyOfSecondQuery] = hidden;
    const hidesMore = attentionWithMask((s, scores) => s.op("add", scores, s.constant({ shape: mask.shape, data })));

    const operators = settled(hidesMore);

    expect(operators).toEqual({ attention: 1 });
    expect(fusedAttention(hidesMore)).toEqual({ causal: true, window: 0, operands: 4 });
  });
});

describe("attention with a mask of the client", () => {
  it("keeps a bias of the client", () => {
    const biased = attentionWithMask((s, scores) => s.op("add", scores, s.x("bias", 1, heads, length, length)));

    const operators = settled(biased);

    expect(operators).toMatchObject({ attention: 1 });
    expect(fusedAttention(biased)).toMatchObject({ causal: false, operands: 4 });
  });

  describe("that is joined with a causal mask", () => {
    const padded = attentionWithMask((s, scores) => {
      const seen = both(s, condition(s, past), clientPadding(s));
      const wide = s.builder.op("expand", [seen], { shape: [batch, 1, length, length] });
      return addWhereHidden(s, wide, scores);
    });

    it("drops the causal part and keeps the client's", () => {
      const operators = settled(padded);

      expect(operators).toEqual({ where: 1, attention: 1 });
      expect(fusedAttention(padded)).toEqual({ causal: true, window: 0, operands: 4 });
    });

    it("keeps the client's part clamped and no larger", () => {
      const { module, weights } = fuseOperators(padded.module, padded.weights);

      const choice = opsOf(module).find(({ name }) => name === "where")!;
      const whereHidden = weights.get(module.params[choice.operands[2]!]!)!;
      expect(module.values[choice.result]!.type.shape).toEqual([1, 1, 1, length]);
      expect([...whereHidden.data]).toEqual([-1e4]);
    });
  });

  it("drops a window and a causal mask beside it", () => {
    const window = 2;
    const padded = attentionWithMask((s, scores) => {
      const known = both(s, condition(s, isWithin(window)), condition(s, past));
      return addWhereHidden(s, both(s, known, clientPadding(s)), scores);
    });

    const operators = settled(padded);

    expect(operators).toEqual({ where: 1, attention: 1 });
    expect(fusedAttention(padded)).toEqual({ causal: true, window, operands: 4 });
  });

  it("drops a window beside it that is not causal", () => {
    const window = 1;
    const padded = attentionWithMask((s, scores) =>
      addWhereHidden(s, both(s, condition(s, isWithin(window)), clientPadding(s)), scores),
    );

    const fused = fusedAttention(padded);

    expect(fused).toEqual({ causal: false, window, operands: 4 });
  });
});
