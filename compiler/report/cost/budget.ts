import { readFileSync } from "node:fs";
import { fail } from "../../../ir/diagnostic.ts";
import { type DirectionName, type NamedBytes, partyLabels } from "../../build/index.ts";
import type { CostReport } from "./cost-report.ts";
import type { PhaseTraffic } from "./traffic-totals.ts";

/** The most that a compiled model may cost per query. `bytes`: of all links together, or of each link that is named. */
export interface Budget {
  readonly rounds?: number;
  readonly bytes?: number | NamedBytes;
  readonly setup?: PhaseLimits;
  readonly offline?: PhaseLimits;
  readonly online?: PhaseLimits;
}

type PhaseLimits = Pick<Budget, "rounds" | "bytes">;
const phases = ["setup", "offline", "online"] as const;
/** A budget may name the links of either setting. */
const links = [...new Set(["2pc-dealer", "3pc"].flatMap((setting) => partyLabels(setting).links))];
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

const help = `write a budget like {"rounds": 200, "bytes": 5000000, "online": {"bytes": {"client→server": 1000000}}}`;

/** @throws DiagnosticError MRL0802 for an object of the caller that is not a budget */
export function checkBudget(value: unknown): Budget {
  if (isLimits(value, phases)) return value as Budget;
  return fail({ code: "MRL0802", message: "expected a budget, found something else", help });
}

/**
 * Reads a budget from a JSON file.
 * @throws DiagnosticError MRL0802 for a file that cannot be read, or that is not a budget
 */
export function readBudget(file: string): Budget {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (isLimits(value, phases)) return value as Budget;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code) return fail({ code: "MRL0802", message: `the budget cannot be read (${code})`, at: file, help });
  }
  return fail({ code: "MRL0802", message: "expected a budget, found something else", at: file, help });
}

/** What exceeds the budget, one line each. Rounds and bytes outside a phase count one query: offline and online. */
export function budgetExcess(budget: Budget, { totals }: CostReport): readonly string[] {
  const { offline, online } = totals;
  const query = {
    rounds: offline.rounds + online.rounds,
    bytes: Object.fromEntries(links.map((link) => [link, (offline.bytes[link] ?? 0) + (online.bytes[link] ?? 0)])),
  };
  return [
    ...phaseExcess("one query", budget, query),
    ...phases.flatMap((phase) => phaseExcess(phase, budget[phase] ?? {}, totals[phase])),
  ];
}

function phaseExcess(what: string, { rounds, bytes }: PhaseLimits, found: PhaseTraffic): readonly string[] {
  const all = Object.values(found.bytes).reduce((sum, count) => sum + count, 0);
  const limits: (readonly [string, number | undefined, number])[] = [["rounds", rounds, found.rounds]];
  if (typeof bytes === "number") limits.push(["bytes", bytes, all]);
  else
    for (const [link, most] of Object.entries(bytes ?? {}))
      limits.push([`bytes ${link}`, most, found.bytes[link as DirectionName] ?? 0]);
  return limits
    .filter(([, most, count]) => most !== undefined && count > most)
    .map(([unit, most, count]) => `${what}: ${count} ${unit}, at most ${most} allowed`);
}
