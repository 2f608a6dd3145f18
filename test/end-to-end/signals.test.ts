import type { ChildProcess } from "node:child_process";
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

/** When the signal comes: as the folder is there and the model is compiled, or as the answer begins and parties run. */
const moments = {
  compiling: () => expect.poll(() => readdirSync(temporary), { timeout: 60_000, interval: 20 }).toHaveLength(1),
  running: ({ stdout }: ChildProcess) => new Promise<void>((done) => void stdout!.once("data", () => done())),
};

test.each([
  ["SIGINT", "compiling"],
  ["SIGTERM", "running"],
] as const)("a demo that %s ends while %s leaves no temporary folder", async (signal, moment) => {
  const child = start("marillc demo", dir, { TMPDIR: temporary });
  await moments[moment](child);
  expect(readdirSync(temporary)).toHaveLength(1);
  child.kill(signal);
  const ended = await new Promise<string | null>((done) => void child.once("close", (_code, by) => done(by)));
  expect(ended).toBe(signal);
  expect(readdirSync(temporary)).toEqual([]);
});
