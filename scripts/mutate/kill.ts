import type { Mutant } from "./find-mutants.ts";
import type { TestRunner } from "./run-tests.ts";
import { testsOf } from "./tests-of-file.ts";

export interface Verdict {
  /** The first test that fails. */
  readonly killedBy?: string | undefined;
  /** How many test files ran. */
  readonly tests: number;
}

export interface KillerOptions {
  /** How many sources may lie between a test and the file. */
  readonly hops: number;
  /** How many test files a mutant meets at most. */
  readonly most: number;
  /** What a cheap test file takes at most. */
  readonly testSeconds: number;
}

/** How often a test that does not end meets a mutant again, with twice the time. */
const mostAttempts = 3;

/**
 * Runs the best tests over a mutant until one fails. A test file counts as cheap, and as a test at all, once it has
 * passed over the sources as they are within `testSeconds`. Those that killed most in their time go first.
 */
export function createKiller(
  runner: TestRunner,
  importers: ReadonlyMap<string, readonly string[]>,
  { hops, most, testSeconds }: KillerOptions,
): (mutant: Mutant) => Promise<Verdict> {
  /** Seconds over the sources as they are; undefined where the test failed or took too long. */
  const sound = new Map<string, number | undefined>();
  const secondsOf = async (test: string): Promise<number | undefined> => {
    if (!sound.has(test)) {
      const { failure, seconds } = await runner.run({ test }, testSeconds);
      if (failure !== undefined) console.error(`left out: ${failure}`);
      sound.set(test, failure === undefined ? seconds : undefined);
    }
    return sound.get(test);
  };
  /** Over a mutant, in time enough. A busy machine is no verdict: then the sources as they are take too long as well. */
  const meet = async (test: string, mutant: Mutant, usual: number): Promise<string | undefined> => {
    for (let seconds = Math.ceil(60 + 5 * usual), more = mostAttempts; ; seconds *= 2, more--) {
      const { failure, isLate } = await runner.run({ test, mutant }, seconds);
      if (!isLate || more === 0) return failure;
      const again = await runner.run({ test }, seconds / 2);
      if (again.failure === undefined) return failure;
    }
  };
  const kills = new Map<string, number>();
  const worth = (test: string): number => (kills.get(test) ?? 0) / (sound.get(test) ?? 1);
  return async (mutant) => {
    let tests = 0;
    const chosen = testsOf(importers, mutant.file, hops).slice(0, most);
    for (const test of chosen.toSorted((a, b) => worth(b) - worth(a))) {
      const usual = await secondsOf(test);
      if (usual === undefined) continue;
      tests++;
      const failure = await meet(test, mutant, usual);
      if (failure === undefined) continue;
      kills.set(test, (kills.get(test) ?? 0) + 1);
      return { killedBy: failure, tests };
    }
    return { tests };
  };
}
