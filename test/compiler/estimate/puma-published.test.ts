import { expect, it } from "vitest";
import { parseOwnership } from "../../../compiler/estimate/architecture-ownership.ts";
import { type EstimateOptions, estimateCost } from "../../../compiler/estimate/count-architecture.ts";
import { type Op, opsOf } from "../../../ir/module.ts";
import { sizeOf } from "../../../ir/type.ts";
import { presets } from "../../../passes/3-approximate/index.ts";
import { costOf } from "../../../passes/5-select/traffic.ts";

const preset = presets.get("puma")!;
const prefill: EstimateOptions = {
  sequenceLength: 128,
  phase: "prefill",
  ownership: parseOwnership("all"),
  preset,
  select: { setting: "3pc" },
};
const sum = (bytes: object): number => Object.values(bytes).reduce((a: number, b: number) => a + b, 0);

const ring = 64;
/** Bits of an element at SPU, over all three parties (protocols.md 3.1), and of ours in its place. */
const costs = {
  truncation: { spu: 8 * ring, ours: 4 * ring + ring + 18 + 1 },
  sign: { spu: 3 * (4 * ring + 32), ours: 607 },
  choice: { spu: 8 * ring, ours: 7 * ring },
};
/** PUMA compares each token with each word: SPU's equality and the bit as a number are taken at our cost, 253 and 4ℓ bits. */
const oneHotBytes = (128 * 30522 * (253 + 4 * ring)) / 8;

const signs = ["compare", "relu"];
const choices = ["where", "relu"];

/** What three computing parties send; the dealer's part of a truncation is sent before the input is known. */
function counted(name: "bert-base" | "bert-large") {
  const { module, report } = estimateCost(name, prefill);
  const { offline, online } = report.totals;
  const elements = (belongs: (op: Op) => boolean): number =>
    opsOf(module)
      .filter(belongs)
      .reduce((total, { result }) => total + sizeOf(module.values[result]!.type.shape), 0);
  const more = (elements: number, { spu, ours }: (typeof costs)["sign"]): number => (elements * (spu - ours)) / 8;
  const total = sum(online.bytes) + sum(offline.bytes);
  const asSpu =
    total +
    more(
      elements((op) => sum(costOf(module, op).dealt) > 0),
      costs.truncation,
    ) +
    more(
      elements(({ name }) => signs.includes(name)),
      costs.sign,
    ) +
    more(
      elements(({ name }) => choices.includes(name)),
      costs.choice,
    ) +
    oneHotBytes;
  return { total: total / 1e9, asSpu: asSpu / 1e9 };
}

it.each([
  ["bert-base", 10.77],
  ["bert-large", 27.25],
] as const)(
  "%s with 128 positions costs close to the published %d GB, and closer with the cost of SPU's operations",
  (name, published) => {
    const { total, asSpu } = counted(name);
    expect(Math.abs(total / published - 1)).toBeLessThan(0.3);
    // docs/estimates.md says what the difference is made of: this is its sum.
    expect(Math.abs(asSpu / published - 1)).toBeLessThan(0.06);
  },
  120_000,
);
