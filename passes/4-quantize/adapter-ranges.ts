import { type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import type { Interval } from "../../ir/type.ts";
import { producersOf } from "../../ir/uses.ts";
import type { Observation } from "./calibration-types.ts";

/** A trained A stretches more than a fresh one: factor on what is measured behind a fresh A. */
const lowRankRoom = 4;

/**
 * Room for adapters: with B = 0, the public stand-in, x·A·B is measured as nothing. What a private adapter adds to a
 * layer is given the room of what the layer itself gives, and x·A four times what a fresh A gives. Both are public
 * guesses; the provider's own check against the true weights says when they do not hold.
 */
export function widenForAdapters(module: Module, { values, inner }: Observation): Observation {
  const producers = producersOf(opsOf(module));
  const isServer = (id: ValueId): boolean =>
    Object.hasOwn(module.params, id) && module.values[id]!.type.label === "server";
  /** The operation with private weights that a value is, or is columns of (fuse-matmuls, low-rank). */
  const privately = (name: string, id: ValueId): Op | undefined => {
    const made = producers.get(id);
    const op = made?.name === "slice" ? producers.get(made.operands[0]!) : made;
    return op?.name === name && isServer(op.operands[1]!) ? op : undefined;
  };
  /** The low-rank half: of a private A, or of a public one (LoRA-FA), which narrows what it is given. */
  const half = (id: ValueId): { readonly low: Op; readonly trained: boolean } | undefined => {
    const hidden = privately("matmul", id);
    if (hidden) return { low: hidden, trained: true };
    const op = producers.get(id);
    const narrows = op?.name === "matmul" && Object.hasOwn(module.params, op.operands[1]!) && isNarrower(module, op);
    return narrows ? { low: op, trained: false } : undefined;
  };
  const wide = new Map(values);
  const include = (id: ValueId, { lo, hi }: Interval): void => {
    const known = wide.get(id) ?? { lo: 0, hi: 0 };
    const most = Math.max(Math.abs(lo), Math.abs(hi));
    wide.set(id, { lo: Math.min(known.lo, -most), hi: Math.max(known.hi, most) });
  };
  for (const op of opsOf(module)) {
    if (op.name !== "add") continue;
    op.operands.forEach((id, index) => {
      const base = values.get(op.operands[1 - index]!);
      if (!base) return;
      // Both halves in one: what is between them is nobody's value.
      const both = privately("low-rank", id);
      if (both) for (const each of [id, both.result, op.result]) include(each, base);
      const outer = privately("matmul", id);
      const found = outer && half(outer.operands[0]!);
      if (!found) return;
      const { low, trained } = found;
      include(id, base);
      include(op.result, base);
      // With a public A what is measured is what A gives.
      if (!trained) return;
      for (const narrow of new Set([low.result, outer.operands[0]!])) {
        const measured = values.get(narrow);
        if (measured) include(narrow, { lo: measured.lo * lowRankRoom, hi: measured.hi * lowRankRoom });
      }
    });
  }
  return { values: wide, inner };
}

const isNarrower = ({ values }: Module, { operands, result }: Op): boolean =>
  values[result]!.type.shape.at(-1)! < values[operands[0]!]!.type.shape.at(-1)!;
