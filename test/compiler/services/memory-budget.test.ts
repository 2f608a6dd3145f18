import { expect, test } from "vitest";
import { aroundQueries, createMemoryBudget } from "../../../compiler/services/memory-budget.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";

const never = new Promise<never>(() => {});
const settled = (): Promise<void> => new Promise((next) => setImmediate(next));

test("queries share the memory in the order in which they came, and one whose session ends waits no more", async () => {
  const budget = createMemoryBudget(10, 9);
  const held: string[] = [];
  let leave = (): void => {};
  const take = (name: string, bytes: number, left: Promise<unknown> = never) =>
    budget.take(bytes, left).then((share) => {
      held.push(name);
      return share;
    });
  const first = await take("first", 6);
  const gone = take("gone", 8, new Promise<void>((resolve) => (leave = resolve)));
  const [second, third] = [take("second", 6), take("third", 4)];
  await settled();
  // The third one would have room, and waits for those that came before.
  expect(held).toEqual(["first"]);
  leave();
  await expect(gone).rejects.toMatchObject({ reason: "peerLeft" });
  expect(held).toEqual(["first"]);
  first.release();
  first.release();
  await Promise.all([second, third]);
  expect(held).toEqual(["first", "second", "third"]);
});

test("a query has memory from its request until the dealer waits for the next one", async () => {
  const budget = createMemoryBudget(10, 9);
  const [server, own] = memoryPair("server", "dealer");
  const { channel, hold, end } = aroundQueries(own, () => budget.take(10, never));
  const isFree = async (): Promise<boolean> => {
    const share = budget.take(10, Promise.resolve());
    return await share.then(
      ({ release }) => {
        release();
        return true;
      },
      () => false,
    );
  };
  const request = () => channel.receive({ kind: "control", maxBytes: 9 });
  await server.send(Uint8Array.of(1), "control");
  // What the setup holds is given back before the first request.
  hold(await budget.take(10, never));
  expect(await isFree()).toBe(false);
  await request();
  expect(await isFree()).toBe(false);
  // Frames of the query itself change nothing.
  await server.send(Uint8Array.of(2));
  await channel.receive({ exactBytes: 1 });
  expect(await isFree()).toBe(false);
  const next = request();
  expect(await isFree()).toBe(true);
  await server.send(Uint8Array.of(1), "control");
  await next;
  expect(await isFree()).toBe(false);
  end();
  expect(await isFree()).toBe(true);
});

test("long sessions have a number of places, and whoever finds none asks again (MRL0740)", () => {
  const budget = createMemoryBudget(10, 1);
  const leave = budget.enter();
  expect(() => budget.enter()).toThrowError(expect.objectContaining({ code: "MRL0740", retryAfterSeconds: 10 }));
  leave();
  budget.enter();
});
