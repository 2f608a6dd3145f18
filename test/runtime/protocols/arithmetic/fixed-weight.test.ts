import { describe, expect, it } from "vitest";
import type { MaskedValue, Share } from "../../../../runtime/core/party.ts";
import type { Program } from "../../../../runtime/program/program.ts";
import { fixedWeightMatmul } from "../../../../runtime/protocols/arithmetic/fixed-weight.ts";
import { intTensor } from "../../../../runtime/ring/tensor.ts";
import { predict, seedBytes } from "../../../../runtime/session/predict.ts";
import { costOf, execute, fixed, quantizeToGrid, reals } from "../../../harness/execute-protocol.ts";
import { runSession } from "../../../harness/run-session.ts";

const spec = (m: number, k: number, n: number, width: number) => ({
  operands: [fixed([m, k], 10, -8, 8), fixed([k, n], 0, -1000, 1000)],
  result: fixed([m, n], 10, -8000 * k, 8000 * k, width),
  attrs: {},
});

describe("a product with a weight that is opened once under a mask", () => {
  it("is exact in every ring; counted = metered", () => {
    let trial = 0;
    for (const [m, k, n] of [
      [1, 1, 1],
      [3, 5, 2],
      [1, 64, 7],
      [17, 2, 9],
    ] as const) {
      for (const width of [31, 32, 33, 44, 64]) {
        const x = quantizeToGrid(reals(m * k, -8, 8, ++trial), 10);
        const w = quantizeToGrid(reals(k * n, -1000, 1000, trial + 500).reverse(), 0);
        const outcome = execute(fixedWeightMatmul, spec(m, k, n, width), [x, w], { trial });
        expect(outcome.metered).toEqual(outcome.counted);
        outcome.values.forEach((v, at) => {
          let sum = 0;
          for (let j = 0; j < k; j++) sum += x[Math.floor(at / n) * k + j]! * w[j * n + (at % n)]!;
          expect(v).toBe(sum);
        });
      }
    }
  });

  it("costs LIN_FIX of protocols.md 8 beside the opening of x: ℓ·M·N from the dealer, nothing online", () => {
    expect(costOf(fixedWeightMatmul, spec(4, 16, 8, 44))).toEqual({
      rounds: 0,
      clientToServer: 0,
      serverToClient: 0,
      dealerToServer: (44 * 4 * 8) / 8,
    });
  });

  it("is set up once for a session of several queries: ℓ·K·N one way beside the half of a seed, as predicted", async () => {
    const width = 40;
    const wide = (shape: readonly number[]) => fixed(shape, 0, -1000, 1000, width);
    const program: Program = {
      name: "fixed",
      hash: "",
      setting: "2pc-dealer",
      inputs: { x: wide([2, 3]) },
      outputs: { y: { ...wide([2, 5]), to: "client" } },
      weights: { w: { form: "fixed", tensor: "w", shape: [3, 5], width, scale: 0 } },
      *body({ protocols }, party, inputs, weights) {
        const call = (type = wide([2, 3])) => ({ operands: [type], result: type, attrs: { to: "client" } });
        const x = yield* protocols.seededShare.run(party.at("x"), call(), inputs.x!);
        const open = yield* protocols.maskedOpen.run(party.at("open"), call(), x);
        const product = { operands: [wide([2, 3]), wide([3, 5])], result: wide([2, 5]), attrs: {} };
        const y = yield* fixedWeightMatmul.run(party.at("y"), product, open as MaskedValue, weights.w as MaskedValue);
        return { y: yield* protocols.oneWayReveal.run(party.at("out"), call(wide([2, 5])), y as Share) };
      },
    };
    const w = Float64Array.from({ length: 15 }, (_, k) => k * 37 - 250);
    const xs = [1, 2].map((q) => Float64Array.from({ length: 6 }, (_, k) => q * (k - 2)));
    const run = await runSession(
      program,
      new Map([["w", intTensor([3, 5], w)]]),
      xs.map((x) => ({ x: intTensor([2, 3], x) })),
    );
    run.results.forEach(({ outputs }, q) => {
      const expected = Array.from({ length: 10 }, (_, at) => {
        const [i, j] = [Math.floor(at / 5), at % 5];
        return [0, 1, 2].reduce((sum, k) => sum + xs[q]![i * 3 + k]! * w[k * 5 + j]!, 0);
      });
      expect([...outputs.get("y")!.data!]).toEqual(expected);
    });
    const { setup, offline, online } = predict(program);
    expect(setup.bytes["server→client"]).toBe(seedBytes + (width * 15) / 8);
    for (const link of Object.keys(run.bytes) as (keyof typeof run.bytes)[]) {
      expect(run.bytes[link], link).toBe(setup.bytes[link] + 2 * (offline.bytes[link] + online.bytes[link]));
    }
  });
});
