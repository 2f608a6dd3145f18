// One test file after another in a process of its own, which is killed where a mutant never ends.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Mutant } from "./find-mutants.ts";

export interface TestRequest {
  readonly test: string;
  readonly mutant?: Mutant;
}
export interface TestReport {
  /** The first test that fails. */
  readonly failure?: string | undefined;
  readonly seconds: number;
  /** It was ended, because it took longer than it may. */
  readonly isLate?: boolean;
}

export interface TestRunner {
  /** Runs a test file, over a mutant. A run that takes longer than `seconds` fails. */
  readonly run: (request: TestRequest, seconds: number) => Promise<TestReport>;
  readonly stop: () => void;
}

const startSeconds = 300;

export function createTestRunner(root: string): TestRunner {
  let worker: ChildProcess | undefined;
  const stop = (): void => {
    // Its own group: the workers of vitest end with it.
    if (worker?.pid !== undefined && worker.exitCode === null) process.kill(-worker.pid, "SIGKILL");
    worker = undefined;
  };
  process.once("exit", stop);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      console.error(`ended by ${signal}`);
      process.exit(130);
    });

  const answer = (from: ChildProcess, seconds: number): Promise<TestReport> =>
    new Promise((resolve) => {
      const settle = (report: TestReport): void => {
        clearTimeout(timer);
        from.removeAllListeners();
        resolve(report);
      };
      const lost = (why: string, isLate = false): void => {
        stop();
        settle({ failure: why, seconds, isLate });
      };
      const timer = setTimeout(() => lost(`no end within ${seconds} s`, true), seconds * 1000);
      from.once("message", (report: TestReport) => settle(report));
      from.once("exit", () => lost("the process ended"));
    });

  return {
    stop,
    run: async (request, seconds) => {
      if (!worker) {
        worker = fork(fileURLToPath(new URL("./worker.js", import.meta.url)), [root], {
          detached: true,
          stdio: ["ignore", "ignore", "ignore", "ipc"],
        });
        const { failure } = await answer(worker, startSeconds);
        if (failure !== undefined || !worker) throw new Error(`expected vitest to start, found: ${failure}`);
      }
      worker.send(request);
      return await answer(worker, seconds);
    },
  };
}
