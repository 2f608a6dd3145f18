import { expect, it } from "vitest";
import type { Spec } from "../../../runtime/protocols/define.ts";
import { maskedMul } from "../../../runtime/protocols/masked-mul.ts";
import { declaredUlps, execute, fixed, quantised, reals, worstUlps } from "../../harness/protocols.ts";

const specOf = (count: number, scales: readonly [number, number, number], bound: number, width: number): Spec => ({
  operands: [fixed([count], scales[0], -bound, bound), fixed([count], scales[1], -bound, bound)],
  result: fixed([count], scales[2], -bound * bound, bound * bound, width),
  attrs: {},
});

it("multiplies within its declared error, 240 seeds over scales and widths", () => {
  for (let trial = 0; trial < 240; trial++) {
    const scales = (
      [
        [12, 12, 12],
        [8, 10, 12],
        [12, 4, 16],
        [6, 6, 12],
        [10, 10, 4],
      ] as const
    )[trial % 5]!;
    const bound = [1, 8, 100][trial % 3]!;
    const spec = specOf(97, scales, bound, [30, 36, 40][trial % 3]!);
    const x = reals(97, -bound, bound, trial);
    const y = reals(97, -bound, bound, trial + 1000).reverse();
    const outcome = execute(maskedMul, spec, [x, y], { trial });
    const [p, q] = [quantised(x, scales[0]), quantised(y, scales[1])];
    expect(outcome.metered).toEqual(outcome.counted);
    expect(
      worstUlps(
        outcome,
        p.map((v, k) => v * q[k]!),
      ),
    ).toBeLessThanOrEqual(declaredUlps(maskedMul, spec));
  }
});
