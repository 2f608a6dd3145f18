import { runDealer } from "../../runtime/session/index.ts";
import { sha256 } from "../build/index.ts";
import { expectedTraffic, type TrafficTotal } from "../run/index.ts";
import { type ProgramLimits, type ProgramTexts, planWithCost } from "./program-plan.ts";
import type { SessionWork } from "./session-work.ts";

export interface DealerJob {
  readonly texts: ProgramTexts;
  readonly limits: ProgramLimits;
  /** Whether this thread is for long sessions. Others hand them back, before anything is dealt. */
  readonly isLong: boolean;
}

/** The dealer's only question: to compare programs with the other parties, once its own are planned. */
export type DealerQuestion = "agree";

/** What a session of the dealer computed. */
export interface DealtSession {
  readonly program: string;
  readonly queries: number;
  readonly expected: TrafficTotal;
}

/** A session that is too long for the thread to which it was given. */
export interface LongSession {
  /** Bytes of memory for one query. */
  readonly memory: number;
}

type Plan = Awaited<ReturnType<typeof planWithCost>>;

/** Planned programs that a thread keeps for later sessions. */
const mostKept = 4;

/** Plans the programs of a session, or takes those of an earlier one, and deals. */
export function dealerWork(): SessionWork {
  const kept = new Map<string, Plan>();
  const planned = async ({ texts, limits }: DealerJob): Promise<Plan> => {
    // What was planned under other limits is planned again.
    const key = [JSON.stringify(limits), texts.setting, ...texts.programs.map(sha256)].join("\n");
    const found = kept.get(key) ?? (await planWithCost(texts, limits));
    kept.delete(key);
    kept.set(key, found);
    const [oldest] = kept.keys();
    if (kept.size > mostKept) kept.delete(oldest!);
    return found;
  };
  return async (job, { client, server }, ask): Promise<DealtSession | LongSession> => {
    const { programs, cost } = await planned(job as DealerJob);
    if (cost.isLong && !(job as DealerJob).isLong) return { memory: cost.memory };
    await ask("agree" satisfies DealerQuestion);
    const [program, next, ...windows] = programs;
    const { queries, asked } = await runDealer(program, { client: client!, server: server! }, next, windows);
    return { program: program.name, queries, expected: expectedTraffic(programs, asked) };
  };
}
