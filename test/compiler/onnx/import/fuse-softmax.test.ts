import { describe, expect, it } from "vitest";
import { type Sketch, settled, sketch } from "./module-sketch.ts";

/** Σ e along an axis, as exporters bring it back to the shape of e. */
const sums: Readonly<Record<string, (s: Sketch, e: string, axis: number) => string>> = {
  "axis kept": ({ builder }, e, axis) => builder.op("reduce-sum", [e], { axes: [axis], keepdims: true }),
  "negative axis": ({ builder }, e, axis) => builder.op("reduce-sum", [e], { axes: [axis - 3], keepdims: true }),
  "unsqueeze behind it": ({ builder }, e, axis) => {
    const sum = builder.op("reduce-sum", [e], { axes: [axis], keepdims: false });
    return builder.op("reshape", [sum], { shape: [2, 3, 4].with(axis, 1) });
  },
  "repeated to the full shape": ({ builder }, e, axis) => {
    const sum = builder.op("reduce-sum", [e], { axes: [axis], keepdims: true });
    return builder.op("expand", [sum], { shape: [2, 3, 4] });
  },
};

const shifts: Readonly<Record<string, (s: Sketch, x: string, axis: number) => string>> = {
  "without a shift": (_s, x) => x,
  "less the maximum": ({ builder, op }, x, axis) =>
    op("sub", x, builder.op("reduce-max", [x], { axes: [axis], keepdims: true })),
  "less the largest of all": ({ builder, op }, x) =>
    op("sub", x, builder.op("reduce-max", [x], { axes: [0, 1, 2], keepdims: false })),
};

const quotients: Readonly<Record<string, (s: Sketch, e: string, sum: string) => string>> = {
  "as a quotient": ({ op }, e, sum) => op("div", e, sum),
  "as a product with the inverse": ({ op }, e, sum) => op("mul", op("reciprocal", sum), e),
};

const forms = Object.keys(sums).flatMap((sum) =>
  Object.keys(shifts).flatMap((shift) => Object.keys(quotients).map((quotient) => [sum, shift, quotient] as const)),
);

describe("softmax written out", () => {
  it.each(forms)("%s, %s, %s, along every axis", (sum, shift, quotient) => {
    for (const axis of [0, 1, 2]) {
      const made = sketch((s) => {
        const e = s.op("exp", shifts[shift]!(s, s.x("h", 2, 3, 4), axis));
        return quotients[quotient]!(s, e, sums[sum]!(s, e, axis));
      });
      expect(settled(made)).toEqual(axis === 2 ? { softmax: 1 } : { softmax: 1, transpose: 2 });
    }
  });

  it("begins an attention", () => {
    const made = sketch((s) => {
      const [q, k, v] = ["q", "k", "v"].map((name) => s.x(name, 1, 2, 3, 4)) as [string, string, string];
      const scores = s.op("matmul", q, s.builder.op("transpose", [k], { perm: [0, 1, 3, 2] }));
      const most = s.builder.op("reduce-max", [scores], { axes: [3], keepdims: true });
      const e = s.op("exp", s.op("sub", scores, most));
      return s.op("matmul", s.op("div", e, s.builder.op("reduce-sum", [e], { axes: [3], keepdims: true })), v);
    });
    expect(settled(made)).toEqual({ attention: 1 });
  });

  const others: Readonly<Record<string, (s: Sketch, x: string) => string>> = {
    "divided by the sum of the other axis": (s, x) => {
      const e = s.op("exp", x);
      return s.op("div", e, s.builder.op("reduce-sum", [e], { axes: [0], keepdims: true }));
    },
    "of a square matrix, with rows for columns": (s, x) => {
      const e = s.op("exp", x);
      return s.op("div", e, s.builder.op("reduce-sum", [e], { axes: [1], keepdims: false }));
    },
    "less a number of each element": (s, x) => {
      const e = s.op("exp", s.op("sub", x, s.constant({ shape: [3], data: Float64Array.of(1, 2, 3) })));
      return s.op("div", e, s.builder.op("reduce-sum", [e], { axes: [1], keepdims: true }));
    },
    "whose exponentials another op reads": (s, x) => {
      const e = s.op("exp", x);
      return s.op("add", s.op("div", e, s.builder.op("reduce-sum", [e], { axes: [1], keepdims: true })), e);
    },
  };
  it.each(Object.entries(others))("computes the same for one %s", (_name, build) => {
    const made = sketch((s) => build(s, s.x("h", 3, 3)));
    // `settled` compares the values of both.
    const counts = settled(made);
    expect((counts.softmax ?? 0) + (counts.exp ?? 0)).toBe(1);
  });
});
