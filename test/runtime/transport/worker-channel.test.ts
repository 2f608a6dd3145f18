import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { workerChannel, workerLink } from "../../../runtime/transport/node/worker-channel.ts";

const reasonOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => error.reason ?? String(error),
  );

describe("a channel between threads", () => {
  test("frames, counters, backpressure and an orderly end", async () => {
    const [a, b] = workerLink();
    const [client, server] = [workerChannel(a, "server"), workerChannel(b, "client")];
    const frame = new Uint8Array(2 ** 23).fill(7);
    let sent = 0;
    const sending = (async () => {
      for (let k = 0; k < 6; k++, sent++) await client.send(frame);
      await client.close();
    })();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(sent).toBe(2);
    for (let k = 0; k < 6; k++) expect((await server.receive({ exactBytes: frame.length }))[5]).toBe(7);
    await sending;
    expect(frame.length).toBe(2 ** 23); // the caller's own buffer was not detached
    expect(await reasonOf(server.receive({ exactBytes: 1 }))).toBe("peerLeft");
    expect(server.received).toEqual({ messages: 6, payloadBytes: 6 * 2 ** 23, framingBytes: 30 });
    await server.close();
  });

  test("an error at one end is known by its code at the other", async () => {
    const [a, b] = workerLink();
    const [client, server] = [workerChannel(a, "server"), workerChannel(b, "client")];
    await client.send(new Uint8Array(4));
    expect(await reasonOf(server.receive({ exactBytes: 5 }))).toBe("wrongLength");
    await expect(client.receive({ exactBytes: 1 })).rejects.toMatchObject({
      reason: "peerAborted",
      peerCode: "MRL0702",
    });
  });

  test("a thread that crashes has left, and a sender who waits for it is told", async () => {
    const [a, b] = workerLink();
    const worker = new Worker(
      'const { workerData } = require("node:worker_threads"); workerData.on("message", () => process.exit(3));',
      { eval: true, workerData: b, transferList: [b] },
    );
    const client = workerChannel(a, "server");
    const waiting = reasonOf(client.receive({ exactBytes: 1 }));
    await client.send(new Uint8Array(2 ** 25));
    await client.send(new Uint8Array(1)).catch(() => {});
    expect(await waiting).toBe("peerLeft");
    await worker.terminate();
  });
});
