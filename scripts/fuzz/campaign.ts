// Seed after seed through the worker thread.
import { Worker } from "node:worker_threads";
import type { CaseReport } from "./attempt.ts";

const workers = { files: "./worker.js", builds: "./builds/worker.js" } as const;

/** Refusals take milliseconds. The first case of a thread includes loading the compiler. */
const limits = { secondsPerCase: 30, heapMegabytes: 2048 };

export interface CampaignOptions {
  /** What a seed is a case of. */
  readonly of: keyof typeof workers;
  readonly firstSeed: number;
  /** When to stop, in milliseconds since 1970. */
  readonly deadline: number;
  /** One case only. */
  readonly single: boolean;
  /** Continue after a fault. */
  readonly keepGoing: boolean;
  /** Called once for each different fault. */
  readonly onFault: (report: CaseReport) => void;
}

export type CaseCounts = Record<"cases" | CaseReport["outcome"], number>;

/** What the thread answered, or why there is no answer. */
type Answer = { readonly report: CaseReport } | { readonly lost: string };

export async function runCampaign(options: CampaignOptions): Promise<CaseCounts> {
  const counts: CaseCounts = { cases: 0, read: 0, refused: 0, skipped: 0, crashed: 0 };
  const known = new Set<string>();
  let worker = await startWorker(options.of);
  for (let seed = options.firstSeed; Date.now() < options.deadline; seed++) {
    worker.postMessage(seed);
    const answer = await nextAnswer(worker);
    const report = reportFrom(answer, seed);
    counts.cases++;
    counts[report.outcome]++;
    if (report.fault !== undefined && !known.has(report.fault)) {
      known.add(report.fault);
      options.onFault(report);
    }
    if ("lost" in answer) {
      await worker.terminate();
      worker = await startWorker(options.of);
    }
    if (options.single || (report.fault !== undefined && !options.keepGoing)) break;
  }
  await worker.terminate();
  return counts;
}

function reportFrom(answer: Answer, seed: number): CaseReport {
  return "report" in answer ? answer.report : { seed, kind: "unknown", outcome: "crashed", fault: answer.lost };
}

async function startWorker(of: CampaignOptions["of"]): Promise<Worker> {
  const resourceLimits = { maxOldGenerationSizeMb: limits.heapMegabytes };
  const worker = new Worker(new URL(workers[of], import.meta.url), { resourceLimits });
  // An error without a listener would end this process too.
  worker.on("error", () => {});
  const ready = await nextAnswer(worker);
  if ("lost" in ready) throw new Error(`expected the worker thread to start, found: ${ready.lost}`);
  return worker;
}

function nextAnswer(worker: Worker): Promise<Answer> {
  return new Promise((resolve) => {
    const settle = (answer: Answer): void => {
      clearTimeout(timer);
      worker.removeAllListeners("message").removeAllListeners("exit").removeAllListeners("error");
      worker.on("error", () => {});
      resolve(answer);
    };
    const { secondsPerCase } = limits;
    const timer = setTimeout(() => settle({ lost: `no answer in ${secondsPerCase} s` }), secondsPerCase * 1000);
    worker.once("message", (report: CaseReport) => settle({ report }));
    worker.once("error", (error: Error) => settle({ lost: `the thread ended: ${error.message}` }));
    worker.once("exit", () => settle({ lost: "the thread ended" }));
  });
}
