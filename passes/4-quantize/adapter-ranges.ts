import { type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import type { Interval } from "../../ir/type.ts";
import { producersOf } from "../../ir/uses.ts";
import type { Observation } from "./calibration-types.ts";

/** A trained A amplifies more than a fresh one: factor on ranges measured after a fresh A. */
const lowRankRoom = 4;

/**
 * Widens ranges for adapters. With the public placeholder B = 0, x·A·B measures as 0. So the output of a private
 * adapter gets the range of its layer, and x·A four times the range that a fresh A gives. Both are public guesses; the
 * provider's check against the true weights reports when they do not hold.
 */
export function widenForAdapters(module: Module, { values, inner }: Observation): Observation {
  const producers = producersOf(opsOf(module));
  const isServer = (id: ValueId): boolean =>
    Object.hasOwn(module.params, id) && module.values[id]!.type.label === "server";
  /**
   * The op with private weights that makes a value, or makes a value of which it is columns (fuse-matmuls, low-rank).
   */
  const privately = (name: string, id: ValueId): Op | undefined => {
    const made = producers.get(id);
    const op = made?.name === "slice" ? producers.get(made.operands[0]!) : made;
    return op?.name === name && isServer(op.operands[1]!) ? op : undefined;
  };
  /**
   * The product x·A of a low-rank pair: with a private A, or with a public one (LoRA-FA), which has fewer columns than
   * x.
   */
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
      // Both products in one op: there is no value between them.
      const both = privately("low-rank", id);
      if (both) for (const each of [id, both.result, op.result]) include(each, base);
      const outer = privately("matmul", id);
      const found = outer && half(outer.operands[0]!);
      if (!found) return;
      const { low, trained } = found;
      include(id, base);
      include(op.result, base);
      // With a public A the measured range is the true one.
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
