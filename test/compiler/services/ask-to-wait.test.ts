import { expect, test } from "vitest";
import { takeWhileAsking } from "../../../compiler/services/ask-to-wait.ts";
import { createMemoryBudget } from "../../../compiler/services/memory-budget.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";

const never = new Promise<never>(() => {});
const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

test("parties of a query that waits for memory wait as well, until the query is over", async () => {
  const budget = createMemoryBudget(10, 9);
  const { release } = await budget.take(10, never);
  const options = { idleTimeoutMs: 200, mostWaitMs: 60_000 };
  const [client, atClient] = memoryPair("dealer", "client", options);
  const [server, atServer] = memoryPair("dealer", "server", options);
  const taken = takeWhileAsking([client, server], budget.take(10, never), 30);
  const received = [atClient, atServer].map((channel) => channel.receive({ kind: "control", maxBytes: 1 }));
  await pause(500);
  release();
  const share = await taken;
  // A long step is a wait as well.
  await pause(300);
  share.release();
  for (const channel of [client, server]) await channel.send(Uint8Array.of(1), "control");
  expect(await Promise.all(received)).toEqual([Uint8Array.of(1), Uint8Array.of(1)]);
  const { framingBytes } = client.sent;
  await pause(100);
  expect(client.sent.framingBytes).toBe(framingBytes);
});

test("where the session ends meanwhile, nobody is asked any more", async () => {
  const budget = createMemoryBudget(10, 9);
  await budget.take(10, never);
  const [client] = memoryPair("dealer", "client");
  const taken = takeWhileAsking([client], budget.take(10, Promise.resolve()), 10);
  await expect(taken).rejects.toMatchObject({ reason: "peerLeft" });
  await pause(50);
  expect(client.sent.framingBytes).toBe(0);
});
