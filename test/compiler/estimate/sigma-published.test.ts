import { expect, it } from "vitest";
import { parseOwnership } from "../../../compiler/estimate/architecture-ownership.ts";
import type { ArchitectureName } from "../../../compiler/estimate/architectures.ts";
import { estimateCost } from "../../../compiler/estimate/count-architecture.ts";
import { presets } from "../../../passes/3-approximate/index.ts";

/**
 * GB of both directions for one query of 128 places, as the authors of FuseFSS measured SIGMA (arXiv 2606.09551), who
 * round to 0.001 GB; for BERT-base also each party's keys.
 */
interface Published {
  readonly name: ArchitectureName;
  readonly gigabytes: number;
  readonly keys?: number;
}
const measured: readonly Published[] = [
  { name: "bert-tiny", gigabytes: 0.021 },
  { name: "bert-base", gigabytes: 1.062, keys: 18.08 },
  { name: "bert-large", gigabytes: 2.833 },
  { name: "gpt2", gigabytes: 0.885 },
  { name: "gpt-neo-1.3b", gigabytes: 4.326 },
];

it.each(measured)("the count for $name is within 2 percent of what SIGMA sends: $gigabytes GB", ({
  name,
  gigabytes,
  keys,
}) => {
  const { report } = estimateCost(name, {
    sequenceLength: 128,
    phase: "prefill",
    ownership: parseOwnership("layers"),
    preset: presets.get("sigma")!,
  });
  const sent = Object.values(report.totals.online.bytes).reduce((sum, count) => sum + count, 0);
  expect(Math.abs(sent / 1e9 / gigabytes - 1)).toBeLessThan(0.02);
  if (keys !== undefined) expect(Math.abs(report.explicitKeys! / 1e9 / keys - 1)).toBeLessThan(0.02);
}, 120_000);
