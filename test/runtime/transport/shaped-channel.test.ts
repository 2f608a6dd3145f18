import { describe, expect, test } from "vitest";
import { parseLink } from "../../../runtime/transport/link-profile.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";
import { recorded } from "../../../runtime/transport/recorded-channel.ts";
import { shapedPair } from "../../../runtime/transport/shaped-channel.ts";

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** The best of a few: other work on this machine only ever adds time. */
async function fastest(work: () => Promise<unknown>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let k = 0; k < 5; k++) best = Math.min(best, await timed(work));
  return best;
}

describe("a shaped link", () => {
  test("a round trip takes the round-trip time", async () => {
    const [client, server] = shapedPair(memoryPair("client", "server"), parseLink("1000x10"));
    const ms = await fastest(async () => {
      await client.send(new Uint8Array(16));
      await server.send(await server.receive({ exactBytes: 16 }));
      await client.receive({ exactBytes: 16 });
    });
    expect(ms).toBeGreaterThanOrEqual(10);
    expect(ms).toBeLessThan(13);
  });

  test("frames share the bandwidth and not the delay", async () => {
    const [client, server] = shapedPair(memoryPair("client", "server"), parseLink("80x20"));
    const frame = new Uint8Array(100_000); // 10 ms each
    const ms = await fastest(async () => {
      for (let k = 0; k < 10; k++) await client.send(frame);
      for (let k = 0; k < 10; k++) await server.receive({ exactBytes: frame.length });
    });
    expect(ms).toBeGreaterThan(109);
    expect(ms).toBeLessThan(150);
  });

  test("both directions at once: one frame time, one delay", async () => {
    const [client, server] = shapedPair(memoryPair("client", "server"), parseLink("80x20"));
    const frame = new Uint8Array(300_000);
    const ms = await fastest(() =>
      Promise.all(
        [client, server].map(async (end) => {
          await end.send(frame);
          await end.receive({ exactBytes: frame.length });
        }),
      ),
    );
    expect(ms).toBeGreaterThan(39);
    expect(ms).toBeLessThan(55);
  });

  test("a sender cannot run ahead of the link without bound", async () => {
    const [client] = shapedPair(memoryPair("client", "server"), parseLink("800x0"));
    const ms = await timed(async () => {
      for (let k = 0; k < 10; k++) await client.send(new Uint8Array(1_000_000));
    });
    expect(ms).toBeGreaterThan(40); // 10 MB at 100 MB/s, less 4 MiB that are buffered
  });

  test("the receiver's own computing does not delay what is on its way", async () => {
    const [client, server] = shapedPair(memoryPair("client", "server"), parseLink("1000x100"));
    const ms = await fastest(async () => {
      await client.send(new Uint8Array(8));
      const until = performance.now() + 40;
      while (performance.now() < until);
      await server.receive({ exactBytes: 8 });
    });
    expect(ms).toBeGreaterThanOrEqual(50);
    expect(ms).toBeLessThan(70); // not 40 + 50
  });

  test("counters, lengths and contents are those of the link beneath", async () => {
    const [client, server] = shapedPair(memoryPair("client", "server"), parseLink("1000x1"));
    const frame = Uint8Array.of(1, 2, 3);
    await client.send(frame);
    await client.send(frame, "control");
    expect(await server.receive({ exactBytes: 3 })).toEqual(frame);
    const control = await server.receive({ maxBytes: 3, kind: "control" });
    expect([control, control.byteOffset]).toEqual([frame, 0]);
    const traffic = { messages: 1, payloadBytes: 3, framingBytes: 13 };
    expect([client.sent, server.received]).toEqual([traffic, traffic]);
    await client.send(frame);
    await expect(server.receive({ exactBytes: 2 })).rejects.toMatchObject({ reason: "wrongLength" });
  });
});

describe("a recorded channel", () => {
  test("keeps every frame that this party saw, unaffected by later writes", async () => {
    const [client, server] = memoryPair("client", "server");
    const view = recorded(client);
    const frame = Uint8Array.of(1, 2);
    await view.send(frame);
    frame.fill(0);
    await server.send(Uint8Array.of(9), "control");
    (await view.receive({ maxBytes: 4, kind: "control" })).fill(0);
    expect(view.frames).toEqual([
      { direction: "sent", kind: "payload", bytes: Uint8Array.of(1, 2) },
      { direction: "received", kind: "control", bytes: Uint8Array.of(9) },
    ]);
    expect([view.peer, view.sent.payloadBytes, view.received.framingBytes]).toEqual(["server", 2, 6]);
    await server.receive({ exactBytes: 2 });
    await view.close();
    await expect(server.receive({ exactBytes: 1 })).rejects.toMatchObject({ reason: "peerLeft" });
  });
});
