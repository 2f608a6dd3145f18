import type { Module, Op } from "../../ir/module.ts";
import {
  countProtocol,
  type Fixed,
  noTraffic,
  type OperandForm,
  type Protocol,
  type Spec,
  type Traffic,
} from "../../runtime/protocols/kit/index.ts";
import { protocols } from "../../runtime/protocols/registry.ts";
import { specOf } from "./spec.ts";

export const operandForm = (protocol: Protocol, index: number): OperandForm =>
  protocol.forms[Math.min(index, protocol.forms.length - 1)]!;

/** Traffic already counted, since layers repeat; cleared beyond `maxCounted` specs. */
const counted = new Map<string, Traffic>();
const maxCounted = 10_000;

/** Exact traffic of one execution: the cost model runs the protocol on meta tensors, of the spec or as they are given. */
export function trafficOf(protocol: Protocol, spec: Spec, given: readonly Fixed[] = spec.operands): Traffic {
  const key = `${protocol.name} ${JSON.stringify(spec)} ${given === spec.operands ? "" : JSON.stringify(given)}`;
  const known = counted.get(key);
  if (known) return known;
  const traffic = countProtocol(
    protocol,
    spec,
    spec.operands.map((_, index) => operandForm(protocol, index)),
    given,
  );
  if (counted.size >= maxCounted) counted.clear();
  counted.set(key, traffic);
  return traffic;
}

/** The same; undefined where the protocol would compute in rings that the runtime does not have. */
export function trafficWithin(protocol: Protocol, spec: Spec): Traffic | undefined {
  try {
    return trafficOf(protocol, spec);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Exact traffic of one op; none for a local operator. */
export function costOf(module: Module, op: Op): Traffic {
  const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
  return protocol ? trafficOf(protocol, specOf(module, op)) : noTraffic;
}

export const roundsOf = (module: Module, op: Op): number => costOf(module, op).rounds;
