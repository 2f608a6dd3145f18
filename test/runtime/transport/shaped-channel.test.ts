import { describe, expect, test } from "vitest";
import { type Clock, machineClock } from "../../../runtime/transport/clock.ts";
import { parseLink } from "../../../runtime/transport/link-profile.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";
import { recorded } from "../../../runtime/transport/recorded-channel.ts";
import { shapedPair } from "../../../runtime/transport/shaped-channel.ts";

/** A clock that stands still but for waits, which end at once: times are exact, however busy this machine is. */
function waitingClock(): Clock & { compute(ms: number): void } {
  let now = 0;
  return {
    nowMs: () => now,
    waitUntil: async (timeMs) => {
      now = Math.max(now, timeMs);
    },
    compute: (ms) => {
      now += ms;
    },
  };
}

function shapedLink(profile: string) {
  const clock = waitingClock();
  const [client, server] = shapedPair(memoryPair("client", "server"), parseLink(profile), clock);
  return { clock, client, server };
}

describe("a shaped link", () => {
  test("a round trip takes the round-trip time", async () => {
    const { clock, client, server } = shapedLink("1000x10");
    await client.send(new Uint8Array(16));
    await server.send(await server.receive({ exactBytes: 16 }));
    await client.receive({ exactBytes: 16 });
    expect(clock.nowMs()).toBeCloseTo(10 + (2 * 21 * 8) / 1e6, 6);
  });

  test("frames share the bandwidth and not the delay", async () => {
    const { clock, client, server } = shapedLink("80x20");
    const frame = new Uint8Array(100_000); // 10 ms each
    for (let k = 0; k < 10; k++) await client.send(frame);
    for (let k = 0; k < 10; k++) await server.receive({ exactBytes: frame.length });
    expect(clock.nowMs()).toBeCloseTo(10 * 10.0005 + 10, 6);
  });

  test("both directions at once: one frame time, one delay", async () => {
    const { clock, client, server } = shapedLink("80x20");
    const frame = new Uint8Array(300_000);
    await Promise.all(
      [client, server].map(async (end) => {
        await end.send(frame);
        await end.receive({ exactBytes: frame.length });
      }),
    );
    expect(clock.nowMs()).toBeCloseTo(30.0005 + 10, 6);
  });

  test("a sender cannot run ahead of the link without bound", async () => {
    const { clock, client } = shapedLink("800x0");
    for (let k = 0; k < 10; k++) await client.send(new Uint8Array(1_000_000));
    const bufferedMs = (2 ** 22 * 8) / 8e5;
    expect(clock.nowMs()).toBeCloseTo(9 * 10.00005 - bufferedMs, 6);
  });

  test("the receiver's own computing does not delay what is on its way", async () => {
    const { clock, client, server } = shapedLink("1000x100");
    await client.send(new Uint8Array(8));
    clock.compute(40);
    await server.receive({ exactBytes: 8 });
    expect(clock.nowMs()).toBeCloseTo(50 + (13 * 8) / 1e6, 6); // not 40 + 50
  });

  test("this machine's clock waits as long as it is told, or a little more", async () => {
    const until = machineClock.nowMs() + 5;
    await machineClock.waitUntil(until);
    expect(machineClock.nowMs()).toBeGreaterThanOrEqual(until);
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
