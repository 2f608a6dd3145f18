import * as net from "node:net";
import { expect, test } from "vitest";
import { listen } from "../../../runtime/transport/node/tls.ts";
import { host, known, open, stillServes } from "./tls-server.ts";

test("connections that say nothing push out their own kind, and an honest peer is served at once", async () => {
  const dropped: string[] = [];
  const arrived: Parameters<Parameters<typeof listen>[0]["onConnection"]>[] = [];
  const listener = await listen({
    ...{ host, port: 0, identity: known.server, maxUngreetedPerAddress: 3 },
    onConnection: (...arrival) => void arrived.push(arrival),
    onDropped: (address) => dropped.push(address),
    onRefused: () => {},
  });
  open.push(listener);
  const sockets = Array.from({ length: 8 }, () => net.connect(listener.port, host).on("error", () => {}));
  await expect.poll(() => dropped).toEqual(Array.from({ length: 5 }, () => "127.0.0.1"));
  const next = async () => {
    await expect.poll(() => arrived.length).toBeGreaterThan(0);
    const [channel, hello, peer] = arrived.shift()!;
    open.push(channel);
    expect(known.server.peers.find(({ role }) => role === "client")).toBe(peer.pin);
    expect(peer.fingerprint).toBe(peer.pin.fingerprint);
    return { channel, hello };
  };
  await stillServes({ listener, next });
  for (const socket of sockets) socket.destroy();
});
