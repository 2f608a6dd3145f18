import { expect, test } from "vitest";
import type { NamedBytes } from "../../compiler/build/party-names.ts";
import { parseOwnership } from "../../compiler/estimate/architecture-ownership.ts";
import { type ArchitectureName, architectureNames, architectures } from "../../compiler/estimate/architectures.ts";
import { estimateCost } from "../../compiler/estimate/count-architecture.ts";
import type { CostReport } from "../../compiler/report/cost/cost-report.ts";

/** Every known architecture, counted small: what a change of the passes breaks or makes dearer is seen here first. */
interface Most {
  readonly rounds: number;
  /** 10^6 bytes: both parties' online, the dealer's, and once for each model. */
  readonly online: number;
  readonly dealt: number;
  readonly setup: number;
}

/** Four places, every weight private: a few percent above what is counted today. */
const most: Readonly<Record<ArchitectureName, Most>> = {
  "bert-tiny": { rounds: 62, online: 0.41, dealt: 1.08, setup: 11 },
  "bert-base": { rounds: 360, online: 5.1, dealt: 22.3, setup: 440 },
  "bert-large": { rounds: 705, online: 13, dealt: 59, setup: 1440 },
  gpt2: { rounds: 355, online: 6.0, dealt: 22.8, setup: 700 },
  "gpt-neo-1.3b": { rounds: 700, online: 25.5, dealt: 117, setup: 6600 },
  "llama-tiny": { rounds: 103, online: 0.28, dealt: 2.2, setup: 4.4 },
  "llama-7b": { rounds: 895, online: 69, dealt: 330, setup: 33_000 },
  "open-llama-3b": { rounds: 730, online: 44, dealt: 213, setup: 16_700 },
};

const sum = (bytes: NamedBytes): number => Object.values(bytes).reduce((all, count) => all + count, 0);
const traffic = ({ totals: { setup, offline, online } }: CostReport): Most => ({
  rounds: online.rounds,
  online: sum(online.bytes) / 1e6,
  dealt: sum(offline.bytes) / 1e6,
  setup: sum(setup.bytes) / 1e6,
});

/** Operators add up to the totals, and none is left without a protocol or expected to fail. */
function checkReport(report: CostReport): void {
  expect(report.operators.reduce((all, { bytes }) => all + sum(bytes), 0)).toBe(sum(report.totals.online.bytes));
  expect(report.operators.filter(({ error }) => !Number.isFinite(error.ulps))).toEqual([]);
  expect(report.failures).toBeLessThan(1e-6);
}

test.each(
  architectureNames,
)("%s: a prompt of four positions takes the listed rounds, with a private embedding and without", (name) => {
  const count = (owner: string): CostReport =>
    estimateCost(name, { sequenceLength: 4, phase: "prefill", ownership: parseOwnership(owner) }).report;
  const [all, layers] = [count("all"), count("layers")];
  for (const report of [all, layers]) checkReport(report);
  const [dearer, cheaper] = [traffic(all), traffic(layers)];
  for (const key of ["rounds", "online", "dealt", "setup"] as const) {
    expect(dearer[key], key).toBeLessThanOrEqual(most[name][key]);
    expect(dearer[key], key).toBeGreaterThan(0.8 * most[name][key]);
    expect(cheaper[key], key).toBeLessThan(dearer[key]);
  }
}, 30_000);

test.each(
  architectureNames.filter((name) => architectures[name].causal),
)("%s: one position after 64 cached ones costs less online than a prompt of four", (name) => {
  const { report } = estimateCost(name, {
    sequenceLength: 1,
    phase: "decode",
    contextLength: 64,
    ownership: parseOwnership("layers"),
  });
  checkReport(report);
  // One position costs less online than four at once.
  expect(traffic(report).online).toBeLessThan(most[name].online);
}, 30_000);

test("the rounds of a prompt of 128 positions grow with its maxima, not with its length", () => {
  const rounds = (seq: number): number =>
    traffic(
      estimateCost("bert-tiny", { sequenceLength: seq, phase: "prefill", ownership: parseOwnership("all") }).report,
    ).rounds;
  const [short, long] = [rounds(4), rounds(128)];
  // A tree over 128 scores in each layer, where 4 need one over 4.
  expect(long).toBeGreaterThan(short);
  expect(long).toBeLessThan(short + 2 * 5 * 8);
}, 30_000);
