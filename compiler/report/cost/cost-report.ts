import type { Module } from "../../../ir/module.ts";
import { sizeOf } from "../../../ir/type.ts";
import { operandForm, trafficOf } from "../../../passes/5-select/index.ts";
import { type BytesByDirection, noBytes } from "../../../runtime/core/index.ts";
import { ulpsOf } from "../../../runtime/protocols/kit/index.ts";
import { protocols } from "../../../runtime/protocols/registry.ts";
import { addBytes, explicitKeyBytes, type PhaseCost, predict } from "../../../runtime/session/index.ts";
import type { LinkProfile } from "../../../runtime/transport/index.ts";
import { programFromPlan } from "../../../targets/program/interpret-plan.ts";
import { type OpCall, planProgram } from "../../../targets/program/plan.ts";
import { type NamedBytes, withPartyNames } from "../../build/index.ts";
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
  /** Another protocol that could do it, and what that would cost. */
  readonly runnerUp?: { readonly protocol: string; readonly rounds: number; readonly bytes: NamedBytes };
  readonly rounds: number;
  readonly bytes: NamedBytes;
  /** What the dealer prepares, before the input is known. */
  readonly correlationBytes: NamedBytes;
  /** What each party computes. */
  readonly kernels: KernelWork;
  /** At most so many units in the last place away from the interpreter, but for elements that fail with this probability. */
  readonly error: { readonly ulps: number; readonly failure: number };
}

/** Operators that run side by side share rounds: those of a layer are the sum over steps of the longest. */
export interface LayerCost {
  readonly layer: string;
  readonly operators: number;
  readonly rounds: number;
  readonly bytes: NamedBytes;
  readonly correlationBytes: NamedBytes;
}

/** What `cost --json` prints. Bytes are protocol payload of all parties together, by direction, for one query. */
export interface CostReport {
  readonly schema: 1;
  readonly name: string;
  readonly setting: string;
  readonly totals: TrafficTotals;
  /** One query, offline and online together. */
  readonly parties: PartyTotals;
  /** Elements of one query, over all operators, that are expected to be wrong beyond any bound. */
  readonly failures: number;
  /** Bytes of one party's keys for one query as SIGMA ships them, without seeds; for what is computed as it does. */
  readonly explicitKeys?: number;
  readonly operators: readonly OperatorCost[];
  readonly layers: readonly LayerCost[];
  readonly links?: readonly NetworkTime[];
}

const nonZeroBytes = (bytes: Readonly<Partial<BytesByDirection>>): NamedBytes =>
  Object.fromEntries(Object.entries(bytes).filter(([, count]) => count > 0));

const phaseTraffic = ({ rounds, bytes }: PhaseCost): PhaseTraffic => ({ rounds, bytes: nonZeroBytes(bytes) });

/** One token with kept keys and values, at the place where that costs most. */
export interface DecodeCost extends Pick<TrafficTotals, "offline" | "online"> {
  /** Most places that text can have. */
  readonly places: number;
}

/** Counted from the scheduled module of one place; setup is the window's. */
export function decodeCost(module: Module, setting: string, positions: number): DecodeCost {
  const { offline, online } = predict(programFromPlan(planProgram(module, setting), ""));
  return withPartyNames(setting, { places: positions, offline: phaseTraffic(offline), online: phaseTraffic(online) });
}

/** Counted from the scheduled module: nothing is run, nothing is estimated. */
export function costReport(module: Module, setting: string, hash: string, links: readonly LinkProfile[]): CostReport {
  const plan = planProgram(module, setting);
  const program = programFromPlan(plan, hash);
  const { setup, offline, online } = predict(program);
  const explicit = plan.steps.flat().some(({ op }) => op.protocol && protocols.get(op.protocol)?.family === "sigma");
  const totals = { setup: phaseTraffic(setup), offline: phaseTraffic(offline), online: phaseTraffic(online) };
  const steps = plan.steps.map((step) => step.map((call) => ({ call, cost: operatorCost(call, setting) })));
  const failing = steps.flat().map(({ call, cost }) => cost.error.failure * sizeOf(call.spec.result.shape));
  return withPartyNames(setting, {
    schema: 1,
    name: module.name,
    setting,
    totals,
    parties: trafficByParty([totals.offline, totals.online]),
    failures: failing.reduce((sum, each) => sum + each, 0),
    ...(explicit && { explicitKeys: explicitKeyBytes(program) }),
    operators: steps.flat().map(({ cost }) => cost),
    layers: layersOf(steps.map((step) => step.map(({ cost }) => cost))),
    ...(links.length > 0 && { links: links.map((link) => networkTime(totals, link)) }),
  });
}

function operatorCost(call: OpCall, setting: string): OperatorCost {
  const { op, spec, traffic } = call;
  const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
  const runnerUp = runnerUpOf(op.name, op.protocol, spec, setting);
  return {
    name: `%${op.result}`,
    origin: op.origin,
    layer: layerName(op.origin),
    operator: op.name,
    protocol: op.protocol ?? "local",
    ...(runnerUp && { runnerUp }),
    rounds: traffic.rounds,
    bytes: nonZeroBytes(traffic.bytes),
    correlationBytes: nonZeroBytes(traffic.dealt),
    kernels: kernelWork(call),
    error: { ulps: protocol ? ulpsOf(protocol, spec) : 0, failure: protocol?.failure?.(spec) ?? 0 },
  };
}

/** The cheapest other protocol of the same family for the same operator with operands of the same forms. */
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

function layersOf(steps: readonly (readonly OperatorCost[])[]): readonly LayerCost[] {
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

const totalBytes = (all: readonly NamedBytes[]): NamedBytes =>
  nonZeroBytes(addBytes(...all.map((bytes) => ({ ...noBytes, ...bytes }))));
