import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Turn } from "../../../compiler/services/admission.ts";
import { limitsOf } from "../../../compiler/services/service-limits.ts";
import { guardSession, type SessionGuard } from "../../../compiler/services/session-guard.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";

const limits = limitsOf({ maxSessionBytes: 100, maxSessionSeconds: 10, maxSessionCompute: 1 });
let reasons: string[];
let turns: string[];
let isContended: boolean;
let resumed: Promise<void>;
let guard: SessionGuard;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] });
  [reasons, turns, isContended, resumed] = [[], [], false, Promise.resolve()];
  const turn: Turn = {
    yieldTurn: (makesRoom) => turns.push(makesRoom ? "yield, makes room" : "yield"),
    resume: async () => {
      turns.push("resume");
      await resumed;
    },
    leave: () => turns.push("leave"),
  };
  guard = guardSession(limits, { isContended: () => isContended }, turn, ({ code, message }) =>
    reasons.push(`${code} ${message}`),
  );
});
afterEach(() => {
  guard.end();
  vi.useRealTimers();
});

test("ends a session that lasts, sends or computes more than it may", async () => {
  vi.advanceTimersByTime(10_000);
  guard.onCompute(1_001);
  const [a] = memoryPair("client", "server");
  await guard.around(a, false).send(new Uint8Array(101));
  const of = (what: string): string => `MRL0741 the session exceeds a limit of this service: ${what}`;
  expect(reasons).toEqual([of("10 s"), of("1 s of computing"), of("100 bytes")]);
});

test("a session that waits for its peer gives its turn to others that want it, and only then", async () => {
  const [a, b] = memoryPair("client", "server");
  const receiving = guard.around(a, true).receive({ exactBytes: 1 });
  vi.advanceTimersByTime(1_000);
  expect(turns).toEqual([]);
  isContended = true;
  vi.advanceTimersByTime(1_000);
  expect(turns).toEqual(["yield, makes room"]);
  await b.send(Uint8Array.of(7));
  expect(await receiving).toEqual(Uint8Array.of(7));
  expect(turns).toEqual(["yield, makes room", "resume"]);
});

test("every wait for another party gives the turn away: one that takes no frames, and one that has to be reached", async () => {
  isContended = true;
  const [a] = memoryPair("client", "server");
  let taken = (): void => {};
  const slow = { ...a, send: () => new Promise<void>((resolve) => (taken = resolve)) };
  const sending = guard.around(slow, true).send(Uint8Array.of(1));
  vi.advanceTimersByTime(1_000);
  expect(turns).toEqual(["yield"]);
  taken();
  await sending;
  let reached = (): void => {};
  const reaching = guard.whileWaiting(new Promise<void>((resolve) => (reached = resolve)));
  vi.advanceTimersByTime(1_000);
  reached();
  await reaching;
  expect(turns).toEqual(["yield", "resume", "yield", "resume"]);
});

test("two waits of one session that end together ask for its turn once", async () => {
  isContended = true;
  let back = (): void => {};
  resumed = new Promise((resolve) => (back = resolve));
  const [a, b] = memoryPair("client", "dealer");
  const [c, d] = memoryPair("server", "dealer");
  const both = [a, c].map((channel) => guard.around(channel, true).receive({ exactBytes: 1 }));
  vi.advanceTimersByTime(1_000);
  await b.send(Uint8Array.of(1));
  await d.send(Uint8Array.of(2));
  await new Promise((next) => setImmediate(next));
  expect(turns).toEqual(["yield, makes room", "resume"]);
  back();
  await Promise.all(both);
});
