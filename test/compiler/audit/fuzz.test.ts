import { expect, test } from "vitest";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import { buildReportOf } from "../../../scripts/fuzz/builds/attempt-build.ts";
import { judgeBuild, tells } from "../../../scripts/fuzz/builds/judge-build.ts";
import { type BuildFiles, seedBuilds } from "../../../scripts/fuzz/builds/seed-builds.ts";
import { edited, programPaths, resealed } from "./builds.ts";

/* `npm run fuzz -- --builds` in short: `check` refuses an edited build, or running it tells nobody a secret. */

test("of edited builds, none is accepted and leaks", async () => {
  const counts: Record<string, number> = {};
  for (let seed = 1; seed <= 120; seed++) {
    const { outcome, kind, fault } = await buildReportOf(seed);
    expect([seed, kind, fault]).toEqual([seed, kind, undefined]);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  expect(counts.refused).toBeGreaterThan(80);
});

const [sound] = seedBuilds() as readonly [BuildFiles];
const judged = (files: BuildFiles) => judgeBuild(files, checkFlow(sound), sound, 1);

test("the oracle finds a sound build safe", async () => {
  expect(checkFlow(sound).findings).toEqual([]);
  expect(await judged(sound)).toBe("safe");
});

test("the oracle objects to a build that opens more than it says", async () => {
  const other = resealed(edited(sound, programPaths, (text) => text.replaceAll('to: "client"', 'to: "server"')));
  expect(await judged(other)).toMatchObject({ fault: expect.stringContaining("to the server, and says") });
});

test("the oracle objects to values in the clear and to values under one mask", () => {
  const mask = () => Math.floor(Math.random() * 256);
  const runs = (of: (r: number) => readonly number[]) => Array.from({ length: 6 }, () => Uint8Array.from(of(mask())));
  expect(
    tells(
      runs((r) => [r, 1]),
      runs((r) => [r, 2]),
    ),
  ).toBe("byte 1");
  expect(
    tells(
      runs((r) => [r, r + 1]),
      runs((r) => [r, r + 2]),
    ),
  ).toBe("bytes 0 and 1");
  expect(
    tells(
      runs((r) => [r, mask()]),
      runs((r) => [r, mask()]),
    ),
  ).toBe(undefined);
});
