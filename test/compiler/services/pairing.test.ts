import { afterEach, expect, test, vi } from "vitest";
import { createPairing, type Pairing } from "../../../compiler/services/pairing.ts";
import type { Channel } from "../../../runtime/transport/channel.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";

const pairings: Pairing[] = [];
const pairing = (most: number, more: Partial<Parameters<typeof createPairing>[0]> = {}): Pairing => {
  const made = createPairing({ timeoutMs: 60_000, most, onAlone: () => {}, ...more });
  pairings.push(made);
  return made;
};
afterEach(() => {
  for (const each of pairings.splice(0)) each.close();
  vi.useRealTimers();
});

/** A party's connection, and the dealer's end of it. */
const arrival = (role: "client" | "server"): { readonly own: Channel; readonly atDealer: Channel } => {
  const [own, atDealer] = memoryPair(role, "dealer");
  return { own, atDealer };
};

test("a party that leaves gives its room back at once", async () => {
  const table = pairing(4);
  const clients = Array.from({ length: 4 }, () => arrival("client"));
  clients.forEach(({ atDealer }, k) => void table.join(`s${k}`, atDealer));
  expect(table.size()).toBe(4);
  await Promise.all(clients.map(({ own }) => own.close()));
  expect(table.size()).toBe(0);
});

test("clients that wait take no server's room, and the one that waits longest makes room", async () => {
  const table = pairing(2);
  const clients = Array.from({ length: 3 }, () => arrival("client"));
  clients.forEach(({ atDealer }, k) => void table.join(`s${k}`, atDealer));
  await expect(clients[0]!.own.receive({ exactBytes: 1 })).rejects.toMatchObject({
    reason: "peerAborted",
    peerCode: "MRL0740",
    retryAfterSeconds: 1,
  });
  const { atDealer } = arrival("server");
  expect(table.join("s2", atDealer)).toEqual({ client: clients[2]!.atDealer, server: atDealer });
  expect(() => table.join("s1", arrival("client").atDealer)).toThrow("one party too many");
});

test("a second party of one role is refused, and the first one is paired with the peer that comes", () => {
  const table = pairing(4);
  const [first, second, server] = [arrival("client"), arrival("client"), arrival("server")];
  expect(table.join("s", first.atDealer)).toBeUndefined();
  expect(() => table.join("s", second.atDealer)).toThrow(
    expect.objectContaining({ reason: "wrongSession", code: "MRL0714" }),
  );
  expect(table.join("s", server.atDealer)).toEqual({ client: first.atDealer, server: server.atDealer });
  expect(table.size()).toBe(0);
});

test("parties of two sessions are not paired, and each waits for its own peer", () => {
  const table = pairing(4);
  const [client, server] = [arrival("client"), arrival("server")];
  expect(table.join("one", client.atDealer)).toBeUndefined();
  expect(table.join("two", server.atDealer)).toBeUndefined();
  expect(table.size()).toBe(2);
  expect(["one", "two"].map((id) => [table.awaits(id, "server"), table.awaits(id, "client")])).toEqual([
    [true, false],
    [false, true],
  ]);
});

test("nobody is paired with a party that has left, and its late end takes nothing from its successor", async () => {
  const table = pairing(4);
  const [gone, next, server] = [arrival("client"), arrival("client"), arrival("server")];
  void table.join("s", gone.atDealer);
  await gone.own.close();
  expect(table.join("s", next.atDealer)).toBeUndefined();
  await gone.atDealer.close();
  expect(table.size()).toBe(1);
  expect(table.join("s", server.atDealer)).toEqual({ client: next.atDealer, server: server.atDealer });
  // A pair is over for the table: its ends take nothing from a session of the same id.
  const later = arrival("client");
  void table.join("s", later.atDealer);
  await next.own.close();
  expect(table.size()).toBe(1);
});

test("a party that waits for too long is told of, once, and one that was paired or left never is", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const alone: string[] = [];
  const table = pairing(4, { timeoutMs: 1_000, onAlone: (session, { peer }) => alone.push(`${session} ${peer}`) });
  const left = arrival("client");
  for (const [session, { atDealer }] of [
    ["alone", arrival("server")],
    ["paired", arrival("client")],
    ["paired", arrival("server")],
    ["left", left],
  ] as const)
    void table.join(session, atDealer);
  await left.own.close();
  vi.advanceTimersByTime(999);
  expect(alone).toEqual([]);
  vi.advanceTimersByTime(2_000);
  expect(alone).toEqual(["alone server"]);
  expect(table.size()).toBe(0);
});

test("once the dealer stops, whoever waits is told, and no timer is left", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const alone: string[] = [];
  const table = pairing(4, { onAlone: (session) => alone.push(session) });
  const { own, atDealer } = arrival("client");
  void table.join("s", atDealer);
  table.close();
  await own.left;
  vi.advanceTimersByTime(100_000);
  expect([table.size(), ...alone]).toEqual([0]);
});
