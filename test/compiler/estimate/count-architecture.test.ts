import { expect, it } from "vitest";
import type { ArchitectureOptions } from "../../../compiler/estimate/architecture-builder.ts";
import { parseOwnership } from "../../../compiler/estimate/architecture-ownership.ts";
import type { architectures } from "../../../compiler/estimate/architectures.ts";
import { estimateCost, estimateModule } from "../../../compiler/estimate/count-architecture.ts";
import { opsOf } from "../../../ir/module.ts";
import { sizeOf } from "../../../ir/type.ts";

const all = parseOwnership("all");
const prefill: ArchitectureOptions = { sequenceLength: 16, phase: "prefill", ownership: all };
const online = (report: ReturnType<typeof estimateCost>["report"]): number =>
  Object.values(report.totals.online.bytes).reduce((sum, count) => sum + count, 0);

it("an architecture has as many parameters as the published model", () => {
  const size = (name: keyof typeof architectures): number => {
    const { weights } = estimateModule(name, { ...prefill, sequenceLength: 1 });
    return [...weights.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0) / 1e6;
  };
  // 110 M, 124 M (its head is its table, counted twice here), 6.74 G; less the tables of positions and token types.
  expect(size("bert-base")).toBeGreaterThan(107);
  expect(size("bert-base")).toBeLessThan(112);
  expect(size("gpt2")).toBeGreaterThan(160);
  expect(size("gpt2")).toBeLessThan(166);
  expect(size("llama-7b")).toBeGreaterThan(6730);
  expect(size("llama-7b")).toBeLessThan(6750);
});

it("private weights are meta tensors", () => {
  const { module, weights } = estimateModule("bert-tiny", prefill);
  const filled = Object.entries(module.params).filter(([id, name]) => {
    return module.values[id]!.type.label === "server" && weights.get(name)!.data.length > 0;
  });
  expect(filled).toEqual([]);
});

it("the operators of a report add up to its totals, and the embedding is listed on its own", () => {
  const { report } = estimateCost("bert-tiny", prefill);
  const sum = report.operators.reduce((total, { bytes }) => total + Object.values(bytes).reduce((a, b) => a + b, 0), 0);
  expect(sum).toBe(online(report));
  const oneHot = report.operators.find(
    ({ operator, origin }) => operator === "matmul" && origin.includes("embedding"),
  )!;
  const without = estimateCost("bert-tiny", { ...prefill, ownership: parseOwnership("layers") }).report;
  const embedding = Object.values(oneHot.bytes).reduce((a, b) => a + b, 0);
  expect(embedding).toBeGreaterThan((30522 * 16 * 16) / 8);
  expect(online(without)).toBeLessThan(online(report) - embedding);
});

it("frozen layers cost nothing, and adapters cost less than whole layers", () => {
  const cost = (text: string): number =>
    online(estimateCost("bert-tiny", { ...prefill, ownership: parseOwnership(text) }).report);
  expect(cost("lf0.5")).toBeLessThan(0.6 * cost("layers"));
  expect(cost("lf0.5+lora8")).toBeLessThan(cost("lf0.5"));
});

it("bert-base with 128 positions and private weights costs at most 0.22 GB online and 0.85 GB from the dealer", () => {
  const { report } = estimateCost("bert-base", { sequenceLength: 128, phase: "prefill", ownership: all });
  expect(online(report) / 1e9).toBeLessThan(0.22);
  expect(report.totals.offline.bytes["dealer→server"]! / 1e9).toBeLessThan(0.85);
}, 60_000);

it("decoding opens the keys and values of the new position only", () => {
  const select = { setting: "2pc-dealer", objective: "total" } as const;
  const { module, report } = estimateCost("llama-7b", {
    sequenceLength: 1,
    phase: "decode",
    contextLength: 512,
    ownership: all,
    select,
  });
  const opened = opsOf(module).filter(({ name }) => name === "open");
  for (const { result } of opened) expect(sizeOf(module.values[result]!.type.shape)).toBeLessThan(4 * 11008);
  expect(online(report) / 1e6).toBeLessThan(30);
}, 60_000);

it.each(["", "lf1.5", "lora0", "half"])("%j is refused as ownership", (text) => {
  expect(() => parseOwnership(text)).toThrow(RangeError);
});
