import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requireBuilt, start } from "./spawned.ts";

/** A process that a signal ends, as users and supervisors do. */
const dir = mkdtempSync(join(tmpdir(), "marillc-signals-"));
const temporary = join(dir, "tmp");

beforeAll(() => {
  requireBuilt();
  mkdirSync(temporary);
});
afterAll(() => rmSync(dir, { recursive: true }));

test.each(["SIGINT", "SIGTERM"] as const)("a demo that %s ends leaves no temporary folder", async (signal) => {
  const child = start("marillc demo", dir, { TMPDIR: temporary });
  // The answer has begun: the parties run.
  await new Promise<void>((done) => void child.stdout!.once("data", () => done()));
  expect(readdirSync(temporary)).toHaveLength(1);
  child.kill(signal);
  const ended = await new Promise<string | null>((done) => void child.once("close", (_code, by) => done(by)));
  expect(ended).toBe(signal);
  expect(readdirSync(temporary)).toEqual([]);
});
