import { describe, expect, it } from "vitest";
import { candidatesOf, cheapest, type LinkSpeed, priceOf } from "../../passes/5-select/cheapest.ts";
import { trafficOf } from "../../passes/5-select/traffic.ts";
import { noBytes } from "../../runtime/core/steps.ts";
import { fixedWeightMatmul } from "../../runtime/protocols/arithmetic/fixed-weight.ts";
import { knownWeightMatmul } from "../../runtime/protocols/arithmetic/known-weight.ts";
import { noTraffic } from "../../runtime/protocols/kit/count-traffic.ts";
import type { Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { maskedRelu } from "../../runtime/protocols/nonlinear/masked-relu.ts";
import { fixed } from "../harness/execute-protocol.ts";

const lan: LinkSpeed = { mbitPerSecond: 10_000, roundTripMs: 0.2 };
const wan: LinkSpeed = { mbitPerSecond: 100, roundTripMs: 80 };
const relu = (count: number): Spec => ({
  operands: [fixed([count], 12, -64, 64)],
  result: fixed([count], 12, 0, 64, 30),
  attrs: {},
});

describe("the price of an execution", () => {
  const traffic = {
    rounds: 3,
    bytes: { ...noBytes, "client→server": 1_250_000, "server→client": 125 },
    dealt: { ...noBytes, "dealer→server": 12_500_000 },
  };

  it("is rounds · RTT/2 + bytes / bandwidth of the busiest link, with the dealer's for time, or total bytes", () => {
    expect(priceOf(traffic, wan, "online")).toBeCloseTo(3 * 0.04 + 0.1, 12);
    expect(priceOf(traffic, wan, "time")).toBeCloseTo(3 * 0.04 + 0.1 + 1, 12);
    expect(priceOf(traffic, wan, "total")).toBe(1_250_000 + 125 + 12_500_000);
    expect(priceOf(noTraffic, wan, "time")).toBe(0);
  });
});

describe("the cheapest candidate", () => {
  it("is one upload of a share for a product with a known weight, not an opening in both directions", () => {
    const spec: Spec = {
      operands: [fixed([8, 64], 12, -8, 8), fixed([64, 64], 12, -1, 1)],
      result: fixed([8, 64], 24, -512, 512, 40),
      attrs: {},
    };
    const all = [fixedWeightMatmul, knownWeightMatmul].map((protocol) => ({ protocol }));
    for (const link of [lan, wan]) expect(cheapest(all, spec, link, "time")?.protocol.name).toBe("known-weight.matmul");
  });

  it("costs no more than any other, on every link and under every objective", () => {
    for (const count of [1, 100, 100_000]) {
      for (const link of [lan, wan]) {
        for (const objective of ["time", "online", "total"] as const) {
          const all = candidatesOf(maskedRelu, relu(count));
          const best = cheapest(all, relu(count), link, objective)!;
          const price = ({ tuning }: (typeof all)[number]): number => {
            const attrs = { ...tuning };
            const tuned = { ...relu(count), attrs };
            const widths = maskedRelu.operandWidths(tuned);
            const operands = tuned.operands.map((operand, k) => ({ ...operand, width: widths[k]! }));
            return priceOf(trafficOf(maskedRelu, { ...tuned, operands }), link, objective);
          };
          for (const other of all) expect(price(best)).toBeLessThanOrEqual(price(other));
        }
      }
    }
  });

  it("differs by link: few values take fewer rounds, many take fewer bytes of the dealer", () => {
    const tuning = (count: number, link: LinkSpeed, objective: "time" | "online") =>
      JSON.stringify(cheapest(candidatesOf(maskedRelu, relu(count)), relu(count), link, objective)?.tuning);
    const chosen = new Set([1, 1_000_000].flatMap((count) => [lan, wan].map((link) => tuning(count, link, "time"))));
    expect(chosen.size).toBeGreaterThan(1);
  });

  it("does not exist if no candidate can run", () => {
    const spec: Spec = { ...relu(1), operands: [fixed([1], 12, -(2 ** 45), 2 ** 45)] };
    expect(cheapest([{ protocol: maskedRelu }], spec, wan, "time")).toBeUndefined();
  });
});
