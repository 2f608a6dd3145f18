import { readFileSync } from "node:fs";
import { fail } from "../../../ir/diagnostic.ts";
import { noBytes } from "../../../runtime/core/index.ts";
import { type LinkName, type NamedBytes, named } from "../../build/index.ts";
import type { CostReport } from "./cost.ts";
import type { Phase } from "./totals.ts";

/** Most that a compiled model may cost per query. `bytes`: of all links together, or of some of them. */
export interface Budget {
  readonly rounds?: number;
  readonly bytes?: number | NamedBytes;
  readonly setup?: Limits;
  readonly offline?: Limits;
  readonly online?: Limits;
}

type Limits = Pick<Budget, "rounds" | "bytes">;
const phases = ["setup", "offline", "online"] as const;
const links = Object.keys({ ...noBytes, ...named("3pc", noBytes) }) as LinkName[];
const isAmount = (value: unknown): boolean => typeof value === "number" && value >= 0;

function isLimits(value: unknown, extra: readonly string[] = []): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).every(([key, limit]) => {
    if (key === "rounds") return isAmount(limit);
    if (key !== "bytes") return extra.includes(key) && isLimits(limit);
    if (typeof limit !== "object" || limit === null) return isAmount(limit);
    return Object.entries(limit).every(([link, most]) => (links as readonly string[]).includes(link) && isAmount(most));
  });
}

export function readBudget(file: string): Budget {
  const help = `a budget is like {"rounds": 200, "bytes": 5000000, "online": {"bytes": {"client→server": 1000000}}}`;
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (isLimits(value, phases)) return value as Budget;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code) return fail({ code: "MRL0802", message: `this budget cannot be read (${code})`, at: file, help });
  }
  return fail({ code: "MRL0802", message: "this is no budget", at: file, help });
}

/** What is over the budget, as sentences. Rounds and bytes without a phase are those of one query: offline and online. */
export function exceeded(budget: Budget, { totals }: CostReport): readonly string[] {
  const { offline, online } = totals;
  const query = {
    rounds: offline.rounds + online.rounds,
    bytes: Object.fromEntries(links.map((link) => [link, (offline.bytes[link] ?? 0) + (online.bytes[link] ?? 0)])),
  };
  return [
    ...over("one query", budget, query),
    ...phases.flatMap((phase) => over(phase, budget[phase] ?? {}, totals[phase])),
  ];
}

function over(what: string, { rounds, bytes }: Limits, found: Phase): readonly string[] {
  const all = Object.values(found.bytes).reduce((sum, count) => sum + count, 0);
  const limits: (readonly [string, number | undefined, number])[] = [["rounds", rounds, found.rounds]];
  if (typeof bytes === "number") limits.push(["bytes", bytes, all]);
  else
    for (const [link, most] of Object.entries(bytes ?? {}))
      limits.push([`bytes ${link}`, most, found.bytes[link as LinkName] ?? 0]);
  return limits
    .filter(([, most, count]) => most !== undefined && count > most)
    .map(([unit, most, count]) => `${what}: ${count} ${unit}, at most ${most} allowed`);
}
