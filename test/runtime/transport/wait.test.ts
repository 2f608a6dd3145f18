import { expect, test } from "vitest";
import { createPatience } from "../../../runtime/session/patience.ts";
import { predict } from "../../../runtime/session/predict.ts";
import type { ChannelOptions, ExpectedFrame } from "../../../runtime/transport/channel.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";
import { programFromPlan } from "../../../targets/program/interpret-plan.ts";
import { plan } from "../../targets/programs.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
const nothing = new Uint8Array(0);
/** A dealer that may ask for patience, and whoever waits for it. */
const pair = (options: ChannelOptions = {}) =>
  memoryPair("dealer", "client", { idleTimeoutMs: 150, mostWaitMs: 10_000, ...options });

test("a party that is asked to wait does, for longer than any of its deadlines", async () => {
  let asked = 0;
  const [dealer, client] = pair({ onWait: () => asked++ });
  for (const due of [
    { kind: "control", maxBytes: 9 },
    { exactBytes: 1, withinMs: 150 },
  ] as const) {
    const received = client.receive(due);
    for (let k = 0; k < 6; k++) {
      await pause(60);
      await dealer.send(nothing, "wait");
    }
    await dealer.send(Uint8Array.of(7), "kind" in due ? "control" : "payload");
    expect(await received).toEqual(Uint8Array.of(7));
  }
  expect(asked).toBe(12);
  expect(client.waitedMs).toBeGreaterThan(600);
  // It is no message of the program.
  expect(client.received).toMatchObject({ messages: 1, payloadBytes: 1 });
});

test("nobody waits for longer than it may be asked to, nor where it may not be asked", async () => {
  const [dealer, client] = pair({ mostWaitMs: 200 });
  const asking = setInterval(() => void dealer.send(nothing, "wait").catch(() => {}), 40);
  const started = performance.now();
  await expect(client.receive({ kind: "control", maxBytes: 9 })).rejects.toMatchObject({ reason: "timeout" });
  clearInterval(asking);
  expect(performance.now() - started).toBeLessThan(2_000);
  const [other, strict] = pair({ mostWaitMs: 0 });
  await other.send(nothing, "wait");
  await expect(strict.receive({ exactBytes: 0 })).rejects.toMatchObject({ reason: "unexpectedFrame" });
});

test("a peer that asks for patience without a pause keeps nobody at work", async () => {
  const [dealer, client] = pair();
  for (let k = 0; k < 10_001; k++) void dealer.send(nothing, "wait").catch(() => {});
  await expect(client.receive({ exactBytes: 0 })).rejects.toMatchObject({ reason: "unexpectedFrame" });
});

test("a request to wait has no content", async () => {
  const [dealer, client] = pair();
  await dealer.send(Uint8Array.of(1), "wait");
  await expect(client.receive({ exactBytes: 1 })).rejects.toMatchObject({ reason: "unexpectedFrame" });
});

test("the time for which a party was asked to wait is no time of its query", async () => {
  const [, client] = pair();
  const seen: number[] = [];
  let waitedMs = 5_000;
  const channel = {
    ...{ peer: client.peer, left: client.left, sent: client.sent, received: client.received },
    get waitedMs() {
      return waitedMs;
    },
    send: client.send,
    receive: async ({ withinMs }: ExpectedFrame) => {
      seen.push(withinMs!);
      return nothing;
    },
    close: client.close,
  };
  const patience = createPatience([channel]);
  patience.begin(predict(programFromPlan(plan, "")));
  const { client: patient } = patience.around({ client: channel });
  await patient.receive({ exactBytes: 0 });
  waitedMs += 60_000;
  await patient.receive({ exactBytes: 0 });
  // A bound that no peer moves: an hour in all.
  waitedMs += 36_000_000;
  await patient.receive({ exactBytes: 0 });
  const more = seen.map((each) => Math.round((each - seen[0]!) / 1000));
  expect(more).toEqual([0, 60, 3600]);
});
