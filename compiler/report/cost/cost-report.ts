import type { Module } from "../../../ir/module.ts";
import { sizeOf } from "../../../ir/type.ts";
import { operandForm, trafficOf } from "../../../passes/5-select/index.ts";
import type { BytesByDirection } from "../../../runtime/core/index.ts";
import { ulpsOf } from "../../../runtime/protocols/kit/index.ts";
import { protocols } from "../../../runtime/protocols/registry.ts";
import { explicitKeyBytes, type PhaseCost, predict } from "../../../runtime/session/index.ts";
import type { LinkProfile } from "../../../runtime/transport/index.ts";
import { programFromPlan } from "../../../targets/program/interpret-plan.ts";
import { type OpCall, planProgram } from "../../../targets/program/plan.ts";
import {
  type DirectionName,
  type NamedBytes,
  type PartyLabels,
  type PartyName,
  partyLabels,
} from "../../build/index.ts";
import { type KernelWork, kernelWork } from "./kernel-work.ts";
import { layerName } from "./layer-name.ts";
import { type NetworkTime, networkTime } from "./network-time.ts";
import { type PartyTotals, type PhaseTraffic, type TrafficTotals, trafficByParty } from "./traffic-totals.ts";

export interface OperatorCost {
  readonly name: string;
  readonly origin: string;
  readonly layer: string;
  readonly operator: string;
  readonly protocol: string;
  /** The best other protocol for this operator, and its cost. */
  readonly runnerUp?: {
    readonly protocol: string;
    readonly rounds: number;
    readonly bytes: NamedBytes;
    readonly dealt: NamedBytes;
  };
  readonly rounds: number;
  readonly bytes: NamedBytes;
  /** What the dealer sends before the input is known. */
  readonly correlationBytes: NamedBytes;
  /** What each party computes. */
  readonly kernels: Omit<KernelWork, "multiplyAdds"> & {
    readonly multiplyAdds: Readonly<Partial<Record<PartyName, number>>>;
  };
  /** Bound on the difference from the interpreter, in ulps; each element fails it with probability `failure`. */
  readonly error: { readonly ulps: number; readonly failure: number };
}

/** Operators of one step share rounds: the rounds of a layer are the sum, over steps, of its longest operator. */
export interface LayerCost {
  readonly layer: string;
  readonly operators: number;
  readonly rounds: number;
  readonly bytes: NamedBytes;
  readonly correlationBytes: NamedBytes;
}

/** Output of `cost --json`. Bytes are protocol payload of all parties together, by direction, for one query. */
export interface CostReport {
  readonly schema: 1;
  readonly name: string;
  readonly setting: string;
  readonly totals: TrafficTotals;
  /** One query, offline and online together. */
  readonly parties: PartyTotals;
  /** Expected number of elements of one query, over all operators, that exceed every error bound. */
  readonly failures: number;
  /** Bytes of one party's keys for one query as SIGMA sends them, without seeds; for operators with a sigma protocol. */
  readonly explicitKeys?: number;
  readonly operators: readonly OperatorCost[];
  readonly layers: readonly LayerCost[];
  readonly links?: readonly NetworkTime[];
}

const nonZeroBytes = (bytes: NamedBytes): NamedBytes =>
  Object.fromEntries(Object.entries(bytes).filter(([, count]) => count > 0));

const linkBytes = (bytes: Readonly<Partial<BytesByDirection>>, labels: PartyLabels): NamedBytes =>
  nonZeroBytes(labels.bytes(bytes));

const phaseTraffic = ({ rounds, bytes }: PhaseCost, labels: PartyLabels): PhaseTraffic => ({
  rounds,
  bytes: linkBytes(bytes, labels),
});

/** One token with cached keys and values, at the position that costs most. */
export interface DecodeCost extends Pick<TrafficTotals, "offline" | "online"> {
  /** The context length. */
  readonly places: number;
}

/** Counts the scheduled module that decodes one position; setup is that of the prefill program. */
export function decodeCost(module: Module, setting: string, positions: number): DecodeCost {
  const { offline, online } = predict(programFromPlan(planProgram(module, setting), ""));
  const labels = partyLabels(setting);
  return { places: positions, offline: phaseTraffic(offline, labels), online: phaseTraffic(online, labels) };
}

/** Counts a scheduled module: it runs nothing and estimates nothing. Links and parties have the names of the setting. */
export function costReport(module: Module, setting: string, hash: string, links: readonly LinkProfile[]): CostReport {
  const plan = planProgram(module, setting);
  const program = programFromPlan(plan, hash);
  const { setup, offline, online } = predict(program);
  const explicit = plan.steps.flat().some(({ op }) => op.protocol && protocols.get(op.protocol)?.family === "sigma");
  const labels = partyLabels(setting);
  const totals = {
    setup: phaseTraffic(setup, labels),
    offline: phaseTraffic(offline, labels),
    online: phaseTraffic(online, labels),
  };
  const steps = plan.steps.map((step) => step.map((call) => ({ call, cost: operatorCost(call, setting, labels) })));
  const failing = steps.flat().map(({ call, cost }) => cost.error.failure * sizeOf(call.spec.result.shape));
  return {
    schema: 1,
    name: module.name,
    setting,
    totals,
    parties: trafficByParty([totals.offline, totals.online], labels),
    failures: failing.reduce((sum, each) => sum + each, 0),
    ...(explicit && { explicitKeys: explicitKeyBytes(program) }),
    operators: steps.flat().map(({ cost }) => cost),
    layers: layersOf(
      steps.map((step) => step.map(({ cost }) => cost)),
      labels.links,
    ),
    ...(links.length > 0 && { links: links.map((link) => networkTime(totals, link)) }),
  };
}

function operatorCost(call: OpCall, setting: string, labels: PartyLabels): OperatorCost {
  const { op, spec, traffic } = call;
  const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
  const runnerUp = runnerUpOf(op.name, op.protocol, spec, setting);
  const { multiplyAdds, elements } = kernelWork(call);
  return {
    name: `%${op.result}`,
    origin: op.origin,
    layer: layerName(op.origin),
    operator: op.name,
    protocol: op.protocol ?? "local",
    ...(runnerUp && {
      runnerUp: { ...runnerUp, bytes: labels.bytes(runnerUp.bytes), dealt: labels.bytes(runnerUp.dealt) },
    }),
    rounds: traffic.rounds,
    bytes: linkBytes(traffic.bytes, labels),
    correlationBytes: linkBytes(traffic.dealt, labels),
    kernels: { multiplyAdds: labels.perRole(multiplyAdds), elements },
    error: { ulps: protocol ? ulpsOf(protocol, spec) : 0, failure: protocol?.failure?.(spec) ?? 0 },
  };
}

/** The protocol with the fewest rounds among others of the same family, operator and operand forms. */
function runnerUpOf(operator: string, chosen: string | undefined, spec: OpCall["spec"], setting: string) {
  const own = chosen === undefined ? undefined : protocols.get(chosen);
  if (!own) return undefined;
  const forms = (protocol: typeof own) => spec.operands.map((_, index) => operandForm(protocol, index));
  const wanted = forms(own).join();
  const others = [...protocols.values()].filter(
    (other) =>
      other !== own &&
      other.implements === operator &&
      other.family === own.family &&
      (other.settings as readonly string[]).includes(setting) &&
      forms(other).join() === wanted &&
      other.refuses?.(spec) === undefined,
  );
  const costs = others.map((other) => ({ protocol: other.name, ...trafficOf(other, spec) }));
  return costs.sort((a, b) => a.rounds - b.rounds)[0];
}

function layersOf(steps: readonly (readonly OperatorCost[])[], links: readonly DirectionName[]): readonly LayerCost[] {
  const totalBytes = (all: readonly NamedBytes[]): NamedBytes =>
    nonZeroBytes(
      Object.fromEntries(links.map((link) => [link, all.reduce((sum, bytes) => sum + (bytes[link] ?? 0), 0)])),
    );
  const layers = new Map<string, LayerCost>();
  for (const step of steps) {
    for (const layer of new Set(step.map((cost) => cost.layer))) {
      const mine = step.filter((cost) => cost.layer === layer);
      const before = layers.get(layer) ?? { layer, operators: 0, rounds: 0, bytes: {}, correlationBytes: {} };
      layers.set(layer, {
        layer,
        operators: before.operators + mine.length,
        rounds: before.rounds + Math.max(...mine.map(({ rounds }) => rounds)),
        bytes: totalBytes([before.bytes, ...mine.map(({ bytes }) => bytes)]),
        correlationBytes: totalBytes([
          before.correlationBytes,
          ...mine.map(({ correlationBytes }) => correlationBytes),
        ]),
      });
    }
  }
  return [...layers.values()];
}
