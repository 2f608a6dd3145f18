import { type Corrupted, compareViews, type LeakCase } from "../harness/compare-views.ts";
import { limitOf } from "../harness/leak-statistics.ts";

const SAMPLES = 1500;

/** Whether one of the corrupted parties tells two secrets apart; a runtime that refuses to run objects by itself. */
export const leaks = (test: LeakCase, corrupted: readonly Corrupted[] = ["client", "server"]): boolean =>
  corrupted.some((role) => {
    const verdict = compareViews(test, role, SAMPLES);
    return verdict.z > limitOf(verdict.tests);
  });
