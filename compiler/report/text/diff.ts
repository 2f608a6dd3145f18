import type { DirectionName } from "../../build/index.ts";
import type { CostReport } from "../cost/index.ts";
import { countText } from "./format-units.ts";
import { textTable } from "./text-table.ts";

export interface CostChange {
  readonly phase: string;
  readonly what: string;
  readonly before: number;
  readonly after: number;
}

/** The rounds and bytes that differ between two reports. */
export function costDiff(before: CostReport, after: CostReport): readonly CostChange[] {
  return (["setup", "offline", "online"] as const).flatMap((phase) => {
    const [a, b] = [before.totals[phase], after.totals[phase]];
    const links = Object.keys({ ...a.bytes, ...b.bytes }) as DirectionName[];
    const bytes = links.map((link) => [link, a.bytes[link] ?? 0, b.bytes[link] ?? 0] as const);
    return [["rounds", a.rounds, b.rounds] as const, ...bytes]
      .filter(([, x, y]) => x !== y)
      .map(([what, x, y]) => ({ phase, what, before: x, after: y }));
  });
}

/** The table that `cost --diff` prints. */
export function diffText(changes: readonly CostChange[]): string {
  if (changes.length === 0) return "the totals are the same\n";
  const percent = (before: number, after: number): string =>
    before === 0 ? "new" : `${after > before ? "+" : ""}${(((after - before) / before) * 100).toFixed(1)} %`;
  const rows = changes.map(({ phase, what, before, after }) => [
    phase,
    what,
    countText(before),
    countText(after),
    percent(before, after),
  ]);
  const numbers = ["other", "this", "change"].map((title) => ({ title, right: true as const }));
  return textTable([{ title: "phase" }, { title: "what" }, ...numbers], rows);
}
