import { expect, test } from "vitest";
import { costReport } from "../../../compiler/report/cost/cost-report.ts";
import { kernelWork } from "../../../compiler/report/cost/kernel-work.ts";
import type { Fixed, Spec } from "../../../runtime/protocols/kit/define-protocol.ts";
import { exportNames, protocols } from "../../../runtime/protocols/registry.ts";
import { module, plan } from "../../targets/programs.ts";

const fixed = (...shape: number[]): Fixed => ({ shape, width: 32, scale: 12, lo: -1, hi: 1 });
const kernels = (name: string, operands: readonly Fixed[], result: Fixed, attrs: Spec["attrs"] = {}) =>
  kernelWork({ callee: { kind: "protocol", name }, spec: { operands, result, attrs } });

test("the products of a scheduled module equal a count by hand", () => {
  const found = new Map(plan.steps.flat().map((call) => [call.op.result, kernelWork(call)]));
  const all = (client: number, server: number, dealer: number, elements: number) => ({
    multiplyAdds: { client, server, dealer },
    elements,
  });
  // [3, 4]·[4, 2], [3, 4]·[4, 4] and [3, 2]·[2, 4] with known weights: once at each party.
  expect(found.get("q.a")).toEqual(all(24, 24, 24, 6));
  expect(found.get("k")).toEqual(all(48, 48, 48, 12));
  expect(found.get("q.b")).toEqual(all(24, 24, 24, 12));
  // 12 products of two secrets.
  expect(found.get("gated")).toEqual(all(24, 24, 12, 12));
  // [3, 4]·[4, 3] with a public weight.
  expect(found.get("o")).toEqual(all(36, 36, 0, 9));
  expect(found.get("gate")).toEqual(all(0, 0, 0, 12));
  expect(found.get("logits")).toEqual(all(0, 0, 0, 9));
});

test("batched and broadcast products count every batch", () => {
  const batched = kernels("maskedMatmul", [fixed(2, 5, 3, 4), fixed(5, 4, 6)], fixed(2, 5, 3, 6));
  expect(batched.multiplyAdds).toEqual({ client: 1440, server: 1440, dealer: 720 });
  // 2·3·4·4 sums over 5 channels and a kernel of 9.
  const conv = kernels("knownWeightConv", [fixed(2, 10, 6, 6), fixed(3, 5, 3, 3)], fixed(2, 3, 4, 4));
  expect(conv.multiplyAdds).toEqual({ client: 4320, server: 4320, dealer: 4320 });
  // 6 rows through [4, 3], then [2, 5] and [1, 7].
  const pairs = [fixed(2, 3, 4), fixed(4, 3), fixed(2, 5), fixed(1, 7)];
  const low = kernels("knownWeightLowRank", pairs, fixed(2, 3, 12));
  expect(low.multiplyAdds).toEqual({ client: 174, server: 174, dealer: 174 });
  const row = kernels("knownWeightMul", [fixed(3, 4), fixed(4)], fixed(3, 4));
  expect(row.multiplyAdds).toEqual({ client: 12, server: 12, dealer: 12 });
});

test.each([
  // Two heads; q·k of depth 4 and weights·v of depth 5 for each score.
  ["a square with 1 + 2 + 3 scores per head", 3, true, 6],
  ["the last two positions with 2 + 3 scores per head", 2, true, 5],
  ["all pairs with 3 · 3 scores per head", 3, false, 9],
] as const)("attention counts the scores that exist: %s", (_, places, causal, scores) => {
  const operands = [fixed(1, 2, places, 4), fixed(1, 1, 3, 4), fixed(1, 1, 3, 5)];
  const found = kernels("coarseMaxAttention", operands, fixed(1, 2, places, 5), { causal, scale: 1 });
  const work = 2 * scores * (4 + 5);
  expect(found).toEqual({
    multiplyAdds: { client: 2 * work, server: 2 * work, dealer: work },
    elements: 2 * places * 5,
  });
});

test("every protocol of a product is counted", () => {
  const x = fixed(1, 1, 2, 2);
  const spec = { operands: [x, x, x, x, x], result: x };
  const names = [...protocols.values()]
    .filter(({ implements: operator }) =>
      ["matmul", "conv", "mul", "square", "attention", "cached-attention", "low-rank"].includes(operator),
    )
    .map(({ name }) => exportNames.get(name)!);
  expect(names.filter((name) => kernels(name, spec.operands, spec.result).multiplyAdds.client === 0)).toEqual([]);
});

test("a cost report lists multiply-adds by operator", () => {
  const { operators } = costReport(module, "2pc-dealer", "00".repeat(32), []);
  expect(operators.find(({ name }) => name === "%o")!.kernels.multiplyAdds).toEqual({
    client: 36,
    server: 36,
    dealer: 0,
  });
});
