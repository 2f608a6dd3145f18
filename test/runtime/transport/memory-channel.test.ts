import { MessageChannel } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { decodeFailure, encodeFailure } from "../../../compiler/run/failure-message.ts";
import { sessionError } from "../../../runtime/core/errors.ts";
import type { Channel } from "../../../runtime/transport/channel.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";

const bytes = (length: number, seed = 1): Uint8Array => Uint8Array.from({ length }, (_, k) => (k * 7 + seed) & 255);
const reasonOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => error.reason ?? String(error),
  );

describe("a channel in memory", () => {
  test("delivers frames in order and names the peer at each end", async () => {
    const [client, server] = memoryPair("client", "server");
    expect([client.peer, server.peer]).toEqual(["server", "client"]);
    await client.send(bytes(3, 1));
    await client.send(bytes(0));
    await client.send(bytes(5, 2));
    const received = [
      server.receive({ exactBytes: 3 }),
      server.receive({ exactBytes: 0 }),
      server.receive({ maxBytes: 9 }),
    ];
    expect(await Promise.all(received)).toEqual([bytes(3, 1), bytes(0), bytes(5, 2)]);
  });

  test("hands over a copy that starts at offset 0", async () => {
    const [client, server] = memoryPair("client", "server");
    const frame = bytes(16).subarray(5, 9);
    await client.send(frame);
    const got = await server.receive({ exactBytes: 4 });
    expect(got).toEqual(frame);
    expect([got.byteOffset, got.buffer.byteLength, got.buffer === frame.buffer]).toEqual([0, 4, false]);
  });

  test("counts payload and framing apart, exactly and alike at both ends", async () => {
    const [client, server] = memoryPair("client", "server");
    await client.send(bytes(100));
    await client.send(bytes(30), "control");
    await client.send(bytes(7));
    await server.receive({ exactBytes: 100 });
    await server.receive({ maxBytes: 64, kind: "control" });
    await server.receive({ exactBytes: 7 });
    const traffic = { messages: 2, payloadBytes: 107, framingBytes: 3 * 5 + 30 };
    expect(client.sent).toEqual(traffic);
    expect(server.received).toEqual(traffic);
    expect(server.sent).toEqual({ messages: 0, payloadBytes: 0, framingBytes: 0 });
  });

  test.each([
    ["wrongLength", (c: Channel) => c.send(bytes(4)), { exactBytes: 5 }],
    ["frameTooLarge", (c: Channel) => c.send(bytes(6)), { maxBytes: 5 }],
    ["unexpectedFrame", (c: Channel) => c.send(bytes(5), "control"), { exactBytes: 5 }],
    ["unexpectedFrame", (c: Channel) => c.send(bytes(5)), { exactBytes: 5, kind: "control" as const }],
  ] as const)("refuses: %s, at both ends and for good", async (reason, send, expected) => {
    const [client, server] = memoryPair("client", "server");
    await send(client);
    expect(await reasonOf(server.receive(expected))).toBe(reason);
    expect(await reasonOf(server.receive({ maxBytes: 100 }))).toBe(reason);
    expect(await reasonOf(server.send(bytes(1)))).toBe(reason);
    const error = await client.receive({ exactBytes: 1 }).catch((caught) => caught);
    expect(error.reason).toBe("peerAborted");
    expect(error.peerCode).toBe(sessionError(reason, {}).code);
  });

  test("what a server tells a client to correct is the client's own error; what a client says is not the server's", async () => {
    const stopped = async (by: "client" | "server", reason: "busy" | "noServerInput" | "wrongLength") => {
      const [client, server] = memoryPair("client", "server");
      const [one, other] = by === "server" ? [server, client] : [client, server];
      await one.close(sessionError(reason, { peer: by }, reason === "busy" ? { retryAfterSeconds: 3 } : {}));
      return other.receive({ exactBytes: 1 }).catch((caught) => caught);
    };
    expect(await stopped("server", "busy")).toMatchObject({
      ...{ reason: "peerAborted", code: "MRL0740", message: "the server has no room for this session now" },
      help: expect.stringMatching(/^ask again in about 3 s/),
    });
    const noInput = await stopped("server", "noServerInput");
    expect(noInput).toMatchObject({ code: "MRL0729", help: expect.stringContaining("query --record <name>") });
    expect(decodeFailure(structuredClone(encodeFailure(noInput)))).toMatchObject({ code: "MRL0729" });
    expect(await stopped("server", "wrongLength")).toMatchObject({ code: "MRL0706", peerCode: "MRL0702" });
    expect(await stopped("client", "busy")).toMatchObject({ code: "MRL0706", peerCode: "MRL0740" });
  });

  test("what was sent before an orderly end is delivered, then the peer has left", async () => {
    const [client, server] = memoryPair("client", "server");
    void client.send(bytes(4));
    await client.close();
    expect(await server.receive({ exactBytes: 4 })).toEqual(bytes(4));
    expect(await reasonOf(server.receive({ exactBytes: 4 }))).toBe("peerLeft");
    expect(await reasonOf(client.receive({ exactBytes: 4 }))).toBe("closed");
    expect(await reasonOf(client.send(bytes(1)))).toBe("closed");
  });

  test("a pending receive hears of the peer's end, and of one's own", async () => {
    const [client, server] = memoryPair("client", "server");
    const [here, there] = [client.receive({ exactBytes: 1 }), server.receive({ exactBytes: 1 })].map(reasonOf);
    await client.close();
    expect([await here, await there]).toEqual(["closed", "peerLeft"]);
  });

  test("a silent peer is a timeout that both learn of", async () => {
    const [client, server] = memoryPair("client", "server", { idleTimeoutMs: 50 });
    expect(await reasonOf(client.receive({ exactBytes: 1 }))).toBe("timeout");
    expect(await reasonOf(server.receive({ exactBytes: 1 }))).toBe("peerAborted");
  });

  test("a long computation of ours is no silence of the peer", async () => {
    const { port1, port2 } = new MessageChannel();
    const [client, server] = memoryPair("client", "server", { idleTimeoutMs: 30 });
    port2.on("message", () => void server.send(bytes(1)));
    const got = client.receive({ exactBytes: 1 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    port1.postMessage(0);
    const until = performance.now() + 60;
    while (performance.now() < until);
    expect(await got).toEqual(bytes(1));
    port1.close();
  });

  test("a sender waits for a reader who is behind, but one frame of any size never blocks", async () => {
    const [client, server] = memoryPair("client", "server");
    const frame = new Uint8Array(2 ** 23);
    let sent = 0;
    const sending = (async () => {
      for (let k = 0; k < 8; k++, sent++) await client.send(frame);
    })();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(sent).toBe(2);
    for (let k = 0; k < 8; k++) await server.receive({ exactBytes: frame.length });
    await sending;
    const big = new Uint8Array(2 ** 25);
    await Promise.all([client.send(big), server.send(big)]);
    await Promise.all([client.receive({ exactBytes: big.length }), server.receive({ exactBytes: big.length })]);
  });

  test("a sender who waits for room hears that the reader has left, or a timeout", async () => {
    const [client, server] = memoryPair("client", "server", { idleTimeoutMs: 60 });
    await client.send(new Uint8Array(2 ** 25));
    expect(await reasonOf(client.send(bytes(1)))).toBe("timeout");
    const [other, leaving] = memoryPair("client", "server");
    await other.send(new Uint8Array(2 ** 25));
    const blocked = reasonOf(other.send(bytes(1)));
    await leaving.close();
    expect(await blocked).toBe("peerLeft");
    expect(await reasonOf(other.receive({ exactBytes: 1 }))).toBe("peerLeft");
    await server.close();
  });
});
