import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { limitedLog } from "../../../compiler/services/limited-log.ts";
import type { LogFields } from "../../../compiler/services/service-log.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout"] }));
afterEach(() => void vi.useRealTimers());

test("of each kind the log has five lines in ten seconds, and then how many more there were", () => {
  const lines: string[] = [];
  const fields: (LogFields | undefined)[] = [];
  const log = limitedLog((line, about) => {
    lines.push(line);
    fields.push(about);
  });
  const about = { event: "refused", level: "warn", code: "MRL0720", address: "a stranger's" } as const;
  for (let k = 0; k < 8; k++) log("MRL0720", `stranger ${k}`, about);
  for (let k = 0; k < 5; k++) log("left", `left ${k}`, { event: "left" });
  const first = (kind: string): string[] => Array.from({ length: 5 }, (_, k) => `${kind} ${k}`);
  expect(lines.splice(0)).toEqual([...first("stranger"), ...first("left")]);
  vi.advanceTimersByTime(10_000);
  // Nothing of one stranger stands for all of them.
  expect(lines.splice(0)).toEqual(["MRL0720: 3 more in 10 s"]);
  expect(fields.at(-1)).toEqual({ event: "refused", level: "warn", code: "MRL0720" });
  log("MRL0720", "another period", about);
  expect(lines).toEqual(["another period"]);
});
