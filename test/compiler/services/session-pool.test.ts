import { EventEmitter } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { encodeFailure } from "../../../compiler/run/failure-message.ts";
import { createSessionPool, reasonOf, type SessionHost, type Thread } from "../../../compiler/services/session-pool.ts";
import type { FromThread, ToThread } from "../../../compiler/services/session-work.ts";
import { sessionError } from "../../../runtime/core/errors.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";

/** A thread without a computer: the test says what it computed. */
class FakeThread extends EventEmitter {
  readonly given: ToThread[] = [];
  postMessage(message: ToThread): void {
    this.given.push(message);
  }
  async terminate(): Promise<number> {
    this.emit("exit", 1);
    return 1;
  }
  say(message: FromThread): void {
    this.emit("message", message);
  }
  /** "begin 0": what it was given since it was last asked, and to which session. */
  news(): readonly string[] {
    return this.given.splice(0).map(({ kind, session }) => `${kind} ${session}`);
  }
}

let threads: FakeThread[];
const poolOf = (most: number) =>
  createSessionPool({ kind: "dealer", isLong: false }, most, () => {
    const thread = new FakeThread();
    threads.push(thread);
    return thread as unknown as Thread;
  });
const host = (more: Partial<SessionHost> = {}): SessionHost => ({
  ...{ channels: {}, ask: async () => undefined, onCompute: () => {} },
  ...more,
});
const wait = (session: number, call = 0): FromThread => ({ session, kind: "ask", call, question: "?" });
const done = (session: number, result: unknown = undefined): FromThread => ({ session, kind: "done", result });
const settled = (): Promise<void> => new Promise((next) => setImmediate(next));

beforeEach(() => {
  threads = [];
  vi.useFakeTimers({ toFake: ["performance", "setInterval", "clearInterval"] });
});
afterEach(() => void vi.useRealTimers());

test("each session has a thread of its own while there are threads, and then the one with the fewest", () => {
  const pool = poolOf(2);
  for (let k = 0; k < 3; k++) void pool.run("job", host());
  expect(threads).toHaveLength(2);
  expect(threads.map((thread) => thread.news())).toEqual([["begin 0"], ["begin 1"]]);
  threads[1]!.say(done(1));
  void pool.run("job", host());
  expect(threads[1]!.news()).toEqual(["begin 3"]);
  // A step that takes long keeps new sessions away, however few the thread has.
  threads[0]!.say(wait(0));
  threads[0]!.say(done(2));
  vi.advanceTimersByTime(501);
  void pool.run("job", host());
  expect(threads[0]!.news()).toEqual(["begin 2", "begin 4"]);
});

test("a thread computes for one session at a time, and for the one that came first", async () => {
  const pool = poolOf(1);
  const computed: number[] = [];
  const onCompute = (ms: number): void => void computed.push(ms);
  const [own] = memoryPair("dealer", "client");
  for (let k = 0; k < 3; k++) void pool.run("job", host({ channels: { client: own }, onCompute }));
  const [thread] = threads as [FakeThread];
  expect(thread.news()).toEqual(["begin 0"]);
  vi.advanceTimersByTime(30);
  // What it sends on the way ends no step.
  thread.say({ session: 0, kind: "send", link: "client", frame: new ArrayBuffer(1), frameKind: "payload" });
  expect(thread.news()).toEqual([]);
  thread.say(wait(0));
  expect([computed, thread.news()]).toEqual([[30], ["begin 1"]]);
  await settled();
  expect(thread.news()).toEqual([]);
  // Both the answer to the first session and the third session are ready.
  thread.say(wait(1));
  expect(thread.news()).toEqual(["reply 0"]);
  thread.say(wait(0, 1));
  expect(thread.news()).toEqual(["begin 2"]);
  await own.close();
});

test("a session ends with its result or its failure, and is heard no more", async () => {
  const pool = poolOf(1);
  const [good, bad] = [pool.run("job", host()), pool.run("job", host())];
  const failed = bad.catch((error: unknown) => error);
  const [thread] = threads as [FakeThread];
  thread.say(done(0, 7));
  expect(await good).toBe(7);
  expect(thread.news()).toEqual(["begin 0", "begin 1"]);
  const error = sessionError("timeout", { peer: "client", seconds: 1, doing: "nothing" });
  thread.say({ session: 1, kind: "failed", failure: encodeFailure(error) });
  expect(await failed).toMatchObject({ reason: "timeout", message: error.message });
  const ask = vi.fn();
  void pool.run("job", host({ ask }));
  thread.say(wait(0));
  thread.say(wait(1));
  await settled();
  expect(ask).not.toHaveBeenCalled();
  expect(thread.news()).toEqual(["begin 2"]);
});

test("what a session receives and asks is its own, and a refusal is one", async () => {
  const pool = poolOf(1);
  const [client, own] = memoryPair("client", "dealer");
  const ask = async (question: unknown): Promise<unknown> => `${question}!`;
  void pool.run("job", host({ channels: { client: own }, ask }));
  const [thread] = threads as [FakeThread];
  const answer = async (message: FromThread): Promise<ToThread> => {
    thread.news();
    thread.say(message);
    await settled();
    return thread.given.at(-1)!;
  };
  expect(await answer(wait(0, 4))).toEqual({ session: 0, kind: "reply", call: 4, answer: "?!" });
  // A view into a larger buffer: the others' bytes stay here.
  await client.send(new Uint8Array([1, 2, 3, 4]).subarray(1, 3));
  const receive = { session: 0, kind: "receive", call: 5, link: "client", expected: { exactBytes: 2 } } as const;
  const frame = Uint8Array.of(2, 3).buffer;
  expect(await answer(receive)).toEqual({ session: 0, kind: "reply", call: 5, frame, waitedMs: 0 });
  await client.close();
  expect(await answer({ ...receive, call: 6 })).toMatchObject({
    kind: "refusal",
    call: 6,
    failure: { kind: "session" },
  });
});

test("a session that sends more than a link takes waits for room", async () => {
  const pool = poolOf(1);
  let leave = (): void => {};
  const [, own] = memoryPair("client", "dealer");
  const slow = { ...own, send: () => new Promise<void>((resolve) => (leave = resolve)) };
  void pool.run("job", host({ channels: { client: slow } }));
  const [thread] = threads as [FakeThread];
  thread.news();
  thread.say({ session: 0, kind: "send", link: "client", frame: new ArrayBuffer(2 ** 24), frameKind: "payload" });
  thread.say({ session: 0, kind: "room", call: 1, link: "client" });
  await settled();
  expect(thread.news()).toEqual([]);
  leave();
  await settled();
  expect(thread.news()).toEqual(["reply 0"]);
});

test("the sessions of a thread that dies fail, those of others do not, and the next one has a new thread", async () => {
  const pool = poolOf(2);
  const outcomes: unknown[] = [];
  for (let k = 0; k < 2; k++) pool.run("job", host()).catch((error: unknown) => outcomes.push(error));
  threads[0]!.emit("exit", 9);
  await settled();
  expect(outcomes.map(String)).toEqual(["Error: a thread of the service ended with code 9"]);
  void pool.run("job", host()).catch((error: unknown) => outcomes.push(error));
  expect(threads).toHaveLength(3);
  // Ten minutes of one step are too many.
  threads[1]!.say(wait(1));
  vi.advanceTimersByTime(661_000);
  await settled();
  expect(outcomes).toHaveLength(2);
  void pool.run("job", host()).catch((error: unknown) => outcomes.push(error));
  await pool.close();
  await settled();
  expect(outcomes.at(-1)).toMatchObject({ reason: "closed" });
});

test("a peer is told why a session ended: our faults are nobody's business, and a busy dealer is a busy server", () => {
  expect(reasonOf(new Error("a fault"))).toBeUndefined();
  const left = sessionError("peerLeft", { peer: "dealer", where: "here" });
  expect(reasonOf(left)).toBe(left);
  const aborted = sessionError("peerAborted", { peer: "dealer", theirs: "MRL0740" }, { peerCode: "MRL0740" });
  expect(reasonOf(aborted)).toBe(aborted);
  const busy = sessionError(
    "peerAborted",
    { peer: "dealer", theirs: "MRL0740" },
    { peerCode: "MRL0740", retryAfterSeconds: 7 },
  );
  expect(reasonOf(busy)).toMatchObject({ reason: "busy", retryAfterSeconds: 7 });
});
