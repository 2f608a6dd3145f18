import { describe, expect, test } from "vitest";
import { type HandshakeFields, handshake, protocolVersion } from "../../../runtime/session/handshake.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";

const agreed: Omit<HandshakeFields, "role"> = {
  version: protocolVersion,
  program: "ab".repeat(32),
  setting: "2pc-dealer",
  session: "s-1",
  query: 7,
  artefacts: "cd".repeat(32),
  consumed: 6,
};

/** Both sides' outcomes: a code, or the role that the peer said it has. */
async function meet(client: Partial<HandshakeFields>, server: Partial<HandshakeFields>) {
  const [atClient, atServer] = memoryPair("client", "server");
  const outcomes = await Promise.allSettled([
    handshake(atClient, { ...agreed, role: "client", ...client }),
    handshake(atServer, { ...agreed, role: "server", ...server }),
  ]);
  const payload = atClient.sent.payloadBytes + atServer.sent.payloadBytes;
  expect(payload).toBe(0);
  return outcomes.map((each) => (each.status === "fulfilled" ? each.value.role : each.reason));
}

const flips: readonly (readonly [string, string, Partial<HandshakeFields>])[] = [
  ["version", "MRL0710", { version: "marillc/1" }],
  ["program", "MRL0711", { program: `${"ab".repeat(31)}ac` }],
  ["setting", "MRL0712", { setting: "2pc" }],
  ["role", "MRL0713", { role: "dealer" }],
  ["session", "MRL0714", { session: "s-2" }],
  ["query", "MRL0715", { query: 8 }],
  ["artefacts", "MRL0716", { artefacts: "ce".repeat(32) }],
  ["consumed", "MRL0717", { consumed: 7 }],
];

describe("the handshake", () => {
  test("succeeds when everything agrees, and consumed counters may lag", async () => {
    expect(await meet({}, {})).toEqual(["server", "client"]);
    expect(await meet({ consumed: -1 }, {})).toEqual(["server", "client"]);
  });

  test.each(flips)("%s differs: %s at both sides, whoever is wrong", async (_field, code, flip) => {
    for (const outcome of [await meet(flip, {}), await meet({}, flip)]) {
      expect(outcome.map((error) => error.code)).toEqual([code, code]);
    }
  });

  test("every field has its own code", () => {
    expect(new Set(flips.map(([, code]) => code)).size).toBe(flips.length);
    expect(flips.map(([field]) => field).sort()).toEqual([...Object.keys(agreed), "role"].sort());
  });

  test("two parties of one role", async () => {
    const outcome = await meet({}, { role: "client" });
    expect(outcome.map((error) => error.code)).toEqual(["MRL0713", "MRL0713"]);
  });

  test("the message shows where long values differ", async () => {
    const [error] = await meet({ program: `${"ab".repeat(31)}ac` }, {});
    expect(error.message).toMatch(/^program differs: ….*ac here, ….*ab at the server$/);
    expect(error.at).toBe("program");
  });

  test.each([
    ["no JSON", new Uint8Array(10).fill(255)],
    ["JSON of something else", new TextEncoder().encode("[1]")],
    [
      "a counter that is text",
      new TextEncoder().encode(JSON.stringify({ ...agreed, role: "server", peer: "client", query: "7" })),
    ],
    [
      "escape codes for a terminal",
      new TextEncoder().encode(JSON.stringify({ ...agreed, role: "server", peer: "client", setting: "\u001b[2J" })),
    ],
  ])("%s is malformed", async (_what, bytes) => {
    const [client, server] = memoryPair("client", "server");
    await server.send(bytes, "control");
    await expect(handshake(client, { ...agreed, role: "client" })).rejects.toMatchObject({ reason: "malformed" });
  });

  test("payload before the handshake, a long transcript, silence", async () => {
    for (const [send, reason] of [
      [{ bytes: 10, kind: "payload" as const }, "unexpectedFrame"],
      [{ bytes: 5000, kind: "control" as const }, "frameTooLarge"],
      [undefined, "timeout"],
    ] as const) {
      const [client, server] = memoryPair("client", "server");
      if (send) await server.send(new Uint8Array(send.bytes), send.kind);
      await expect(handshake(client, { ...agreed, role: "client" }, { timeoutMs: 40 })).rejects.toMatchObject({
        reason,
      });
    }
  });
});
