import { expect, test } from "vitest";
import { absenceSeconds, createWaitLines, jitteredMs } from "../../../compiler/services/reach-parties.ts";
import { sessionError } from "../../../runtime/core/index.ts";
import { nowMs } from "../../../runtime/transport/index.ts";

test("a busy service is asked again around the time that it said, and never at once", () => {
  const [first, last] = ["0".repeat(32), "f".repeat(32)];
  expect([jitteredMs(10, first), Math.round(jitteredMs(10, last))]).toEqual([5_000, 15_000]);
  expect(jitteredMs(0, first)).toBe(500);
});

test("a party that is away is asked again soon, and then seldom", () => {
  expect([0, 1, 2, 3, 4, 5].map(absenceSeconds)).toEqual([1, 2, 4, 8, 10, 10]);
});

test("what is wrong with an address is said once, with the time that is left; a busy party at each attempt", () => {
  const say = createWaitLines(nowMs() + 60_000);
  const away = (reason: string) => sessionError("unreachable", { peer: "the server", reason }, { at: "host:1" });
  const busy = sessionError("busy", { peer: "server", reason: "all places are taken" });
  const isAway = "MRL0723 cannot reach the server: nothing listens there, at host:1: attempts go on for up to 60 s";
  const isBusy =
    "MRL0740 the server has no room for this session now: all places are taken: the next attempt follows in 1.5 s";
  expect(say(away("nothing listens there"), 1000)).toBe(`${isAway} (--patience); Ctrl-C ends them`);
  expect(say(away("nothing listens there"), 2000)).toBeUndefined();
  expect(say(away("no host has this name"), 2000)).toContain("no host has this name");
  expect(say(busy, 1500)).toBe(isBusy);
  expect(say(busy, 1500)).toBe(isBusy);
  expect(say(away("nothing listens there"), 1000)).toContain(isAway.slice(0, 50));
});
