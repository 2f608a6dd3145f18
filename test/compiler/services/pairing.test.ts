import { afterEach, expect, test } from "vitest";
import { createPairing, type Pairing } from "../../../compiler/services/pairing.ts";
import type { Channel } from "../../../runtime/transport/channel.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";

const pairings: Pairing[] = [];
const pairing = (most: number): Pairing => {
  const made = createPairing({ timeoutMs: 60_000, most, onAlone: () => {} });
  pairings.push(made);
  return made;
};
afterEach(() => {
  for (const each of pairings.splice(0)) each.close();
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
