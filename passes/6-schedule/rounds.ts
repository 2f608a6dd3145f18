import type { Module, Op } from "../../ir/module.ts";
import { countProtocol, noTraffic, type Traffic } from "../../runtime/protocols/count.ts";
import { protocols } from "../../runtime/protocols/registry.ts";
import { formOf } from "../5-select/choose.ts";
import { specOf } from "../5-select/spec.ts";

/** Exact traffic of one op: its protocol read by the cost model; nothing for what is computed locally. */
export function costOf(module: Module, op: Op): Traffic {
  const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
  if (!protocol) return noTraffic;
  return countProtocol(
    protocol,
    specOf(module, op),
    op.operands.map((_, place) => formOf(protocol, place)),
  );
}

export const roundsOf = (module: Module, op: Op): number => costOf(module, op).rounds;
