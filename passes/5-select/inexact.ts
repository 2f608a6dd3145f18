import { type Module, type Op, opsOf } from "../../ir/module.ts";
import { isExact } from "../../runtime/protocols/kit/index.ts";
import { protocols } from "../../runtime/protocols/registry.ts";
import { opsBeforeReveals } from "./before-reveals.ts";
import { specOf } from "./spec.ts";

/** Operators of one kind whose protocols may differ from the interpreter. */
export interface Inexact {
  readonly operator: string;
  readonly count: number;
  /** Nodes of the model that they come from. */
  readonly at: readonly string[];
}

/** Operators that may make opened results differ from the interpreter's bits, most frequent first; empty if none do. */
export function inexactOperators(module: Module): readonly Inexact[] {
  const groups = new Map<string, Op[]>();
  for (const op of opsOf(module)) {
    const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
    if (!protocol || isExact(protocol, specOf(module, op))) continue;
    groups.set(op.name, [...(groups.get(op.name) ?? []), op]);
  }
  const found = [...groups].map(([operator, ops]) => ({
    operator,
    count: ops.length,
    at: [...new Set(ops.map(({ origin, result }) => origin || `%${result}`))],
  }));
  return found.sort((a, b) => b.count - a.count);
}

/**
 * Protocols whose own rounding an opened value shows, because no exact truncation follows them: their rounding bits are
 * carries of shares, which whoever repeats a question sees under many shares.
 */
export function openedRoundings(module: Module): readonly string[] {
  const rounding = (op: Op): string | undefined => {
    const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
    return protocol && !isExact(protocol, specOf(module, op)) ? protocol.name : undefined;
  };
  const before = opsBeforeReveals(module, (op) => op.name !== "truncate" && rounding(op) === undefined);
  return [...new Set(before.flatMap((op) => rounding(op) ?? []))].sort();
}
