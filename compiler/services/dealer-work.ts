import { runDealer } from "../../runtime/session/index.ts";
import { sha256 } from "../build/index.ts";
import { expectedTraffic, type TrafficTotal } from "../run/index.ts";
import { type PlannedPrograms, type ProgramLimits, type ProgramTexts, planPrograms } from "./program-plan.ts";
import type { SessionWork } from "./session-work.ts";

export interface DealerJob {
  readonly texts: ProgramTexts;
  readonly limits: ProgramLimits;
}

/** The dealer's only question: to compare programs with the other parties, once its own are planned. */
export type DealerQuestion = "agree";

/** What a session of the dealer computed. */
export interface DealtSession {
  readonly program: string;
  readonly queries: number;
  readonly expected: TrafficTotal;
}

/** Planned programs that a thread keeps for later sessions. */
const mostKept = 4;

/** Plans the programs of a session, or takes those of an earlier one, and deals. */
export function dealerWork(): SessionWork {
  const kept = new Map<string, PlannedPrograms>();
  const planned = async ({ texts, limits }: DealerJob): Promise<PlannedPrograms> => {
    // What was planned under other limits is planned again.
    const key = [JSON.stringify(limits), texts.setting, ...texts.programs.map(sha256)].join("\n");
    const found = kept.get(key) ?? (await planPrograms(texts, limits));
    kept.delete(key);
    kept.set(key, found);
    const [oldest] = kept.keys();
    if (kept.size > mostKept) kept.delete(oldest!);
    return found;
  };
  return async (job, { client, server }, ask): Promise<DealtSession> => {
    const programs = await planned(job as DealerJob);
    await ask("agree" satisfies DealerQuestion);
    const [program, next, ...windows] = programs;
    const { queries, asked } = await runDealer(program, { client: client!, server: server! }, next, windows);
    return { program: program.name, queries, expected: expectedTraffic(programs, asked) };
  };
}
