import {
  type ArchitectureName,
  architectures,
  cacheInfix,
  type EstimateOptions,
  estimateSetting,
  privateLayerCount,
  scheduledEstimate,
} from "../../compiler/estimate/index.ts";
import { kernelWork } from "../../compiler/report/cost/index.ts";
import type { Module } from "../../ir/module.ts";
import { type BytesByDirection, noBytes, type Role } from "../../runtime/core/index.ts";
import { addBytes, predictSetup } from "../../runtime/session/index.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { planProgram } from "../../targets/program/plan.ts";

/** Traffic and arithmetic of one query of an architecture. */
export interface QueryTraffic {
  readonly rounds: number;
  readonly online: BytesByDirection;
  /** Bytes that the dealer sends before the input is known. */
  readonly offline: BytesByDirection;
  /** Bytes per session, mostly masked weights. */
  readonly setup: BytesByDirection;
  /** In products in the ring, offline and online together (report/cost/kernel-work.ts). */
  readonly multiplyAdds: Readonly<Record<Role, number>>;
}

/**
 * Counts all layers that are not frozen. They are equal and sequential, so n layers cost as much as two, plus n − 2
 * times what the third adds: test/compiler/estimate/count-traffic.test.ts.
 */
export function countTraffic(name: ArchitectureName, options: EstimateOptions): QueryTraffic {
  const together = options.headsPerOp ?? headsPerOpFor(name, options);
  const count = (layers: number): QueryTraffic => {
    const { module } = scheduledEstimate(name, {
      ...options,
      layerLimit: layers,
      ...(together !== undefined && { headsPerOp: together }),
    });
    return moduleTraffic(module, estimateSetting(options));
  };
  const layers = options.layerLimit ?? privateLayerCount(name, options);
  if (layers <= 3) return count(layers);
  const [two, three] = [count(2), count(3)];
  const grown = (a: number, b: number): number => a + (layers - 2) * (b - a);
  return {
    rounds: grown(two.rounds, three.rounds),
    online: zipRecords(grown, two.online, three.online),
    offline: zipRecords(grown, two.offline, three.offline),
    setup: zipRecords(grown, two.setup, three.setup),
    multiplyAdds: zipRecords(grown, two.multiplyAdds, three.multiplyAdds),
  };
}

/** Limit on heads · length² of one operator: the list of its scores takes a few hundred bytes per score. */
const maxScores = 2 ** 20;

/** Halves the heads per operator until their scores fit. Presets expand attention into products, which list no scores. */
function headsPerOpFor(
  name: ArchitectureName,
  { preset, phase, sequenceLength, mergedHeads = 1 }: EstimateOptions,
): number | undefined {
  if (preset || phase === "decode") return undefined;
  const heads = architectures[name].heads / mergedHeads;
  let together = heads;
  while (together % 2 === 0 && together * sequenceLength * sequenceLength > maxScores) together /= 2;
  return together === heads ? undefined : together;
}

/** Sums the traffic of a module's operators, in the rounds that they share; `predict` counts the same as a whole. */
export function moduleTraffic(module: Module, setting: string): QueryTraffic {
  const plan = planProgram(module, setting);
  const calls = plan.steps.flat();
  // Cached shares exist already: the query that made them paid for them.
  const counted = calls.filter(({ op }) => !(op.name === "share" && op.operands[0]!.includes(cacheInfix)));
  const work = calls.map((call) => kernelWork(call).multiplyAdds);
  return {
    rounds: plan.steps.reduce((sum, step) => sum + Math.max(0, ...step.map(({ traffic }) => traffic.rounds)), 0),
    online: addBytes(noBytes, ...counted.map(({ traffic }) => traffic.bytes)),
    offline: addBytes(noBytes, ...counted.map(({ traffic }) => traffic.dealt)),
    setup: predictSetup([programFromPlan(plan, "")]).bytes,
    multiplyAdds: work.reduce((a, b) => zipRecords((x, y) => x + y, a, b), { client: 0, server: 0, dealer: 0 }),
  };
}

const zipRecords = <K extends string>(
  f: (a: number, b: number) => number,
  a: Readonly<Record<K, number>>,
  b: Readonly<Record<K, number>>,
): Readonly<Record<K, number>> =>
  Object.fromEntries((Object.keys(a) as K[]).map((key) => [key, f(a[key], b[key])])) as Record<K, number>;
