import type * as net from "node:net";
import * as tls from "node:tls";
import { describe, expect, test } from "vitest";
import type { SessionError } from "../../../runtime/core/errors.ts";
import { fingerprintOf } from "../../../runtime/transport/node/identity.ts";
import { connect } from "../../../runtime/transport/node/tls.ts";
import { identities, pair } from "./identities.ts";
import { accepted, dial, errorOf, host, known, serve, stillServes, strangers } from "./tls-server.ts";

const pinned = (role: "client" | "server") => [{ role, fingerprint: fingerprintOf(known[role].certificate) }];

describe("TLS between parties that know each other", () => {
  test("names the peer, carries frames of all sizes, counts exactly", async () => {
    const serving = await serve(known.server);
    const client = await dial(serving, known.client);
    const { channel: server, hello } = await accepted(serving);
    expect([client.peer, server.peer, hello]).toEqual(["server", "client", { purpose: "online", session: "s-1" }]);
    const sizes = [0, 1, 16_379, 16_384, 16_385, 2 ** 20, 2 ** 20 + 1, 5_000_000, 2 ** 25 + 3];
    const greeting = { ...client.sent };
    const sending = (async () => {
      for (const size of sizes) await client.send(new Uint8Array(size).fill(size & 255));
    })();
    for (const size of sizes) {
      const frame = await server.receive({ exactBytes: size });
      expect([frame.length, frame[0], frame.at(-1), frame.byteOffset]).toEqual([
        size,
        size ? size & 255 : undefined,
        size ? size & 255 : undefined,
        0,
      ]);
    }
    await sending;
    const payloadBytes = sizes.reduce((sum, size) => sum + size, 0);
    expect(client.sent).toEqual({
      messages: sizes.length,
      payloadBytes,
      framingBytes: greeting.framingBytes + 5 * sizes.length,
    });
    expect(server.received).toEqual(client.sent);
    expect(client.received).toEqual(server.sent);
  });

  test("both send a large frame, then both receive", async () => {
    const serving = await serve(known.server);
    const client = await dial(serving, known.client);
    const { channel: server } = await accepted(serving);
    const big = new Uint8Array(2 ** 25);
    await Promise.all(
      [client, server].map(async (end) => {
        await end.send(big);
        expect((await end.receive({ exactBytes: big.length })).length).toBe(big.length);
      }),
    );
  });

  test("a sender waits for a slow reader, and all arrives", async () => {
    const serving = await serve(known.server);
    const client = await dial(serving, known.client);
    const { channel: server } = await accepted(serving);
    let sent = 0;
    const sending = (async () => {
      for (let k = 0; k < 16; k++, sent++) await client.send(new Uint8Array(2 ** 23).fill(k));
      await client.close();
    })();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(sent).toBeLessThan(8);
    for (let k = 0; k < 16; k++) expect((await server.receive({ exactBytes: 2 ** 23 }))[9]).toBe(k);
    await sending;
    expect((await errorOf(server.receive({ exactBytes: 1 }))).reason).toBe("peerLeft");
  });

  test("an error at one end is known by its code at the other, even while frames are on their way", async () => {
    const serving = await serve(known.server);
    const client = await dial(serving, known.client);
    const { channel: server } = await accepted(serving);
    for (let k = 0; k < 4; k++) await client.send(new Uint8Array(2 ** 22));
    expect((await errorOf(server.receive({ maxBytes: 1000 }))).code).toBe("MRL0703");
    expect(await errorOf(client.receive({ exactBytes: 1 }))).toMatchObject({
      reason: "peerAborted",
      peerCode: "MRL0703",
    });
    await stillServes(serving);
  });
});

describe("certificates", () => {
  test.each([
    ["of a stranger", () => strangers.client, /an unknown certificate \([0-9a-f]{64}\)/],
    ["of a role that may not connect here", () => known.dealer, /the certificate of the dealer \([0-9a-f]{64}\)/],
    ["our own", () => ({ ...known.server, peers: pinned("server") }), /unknown cert/],
  ])("a client with the certificate %s is refused at both ends", async (_what, identity, found) => {
    const serving = await serve(known.server, { accepts: ["client"] });
    const stranger = { ...identity(), peers: pinned("server") };
    const [here, there] = [await errorOf(dial(serving, stranger)), (await serving.next()) as SessionError];
    expect(here).toMatchObject({ reason: "ownCertificateRefused", code: "MRL0722" });
    expect(here.message).toMatch(/^the server refused this party's certificate/);
    expect(here.message).toContain(fingerprintOf(stranger.certificate));
    expect(there.code).toBe("MRL0720");
    expect(there.message).toMatch(found);
    expect(there.message).toContain(`the client (${fingerprintOf(known.client.certificate)})`);
    await stillServes(serving);
  });

  test.each([
    ["a stranger's", () => strangers.server],
    ["the dealer's (swapped)", () => known.dealer],
    ["the client's own", () => known.client],
  ])("a server with %s certificate is refused at both ends", async (_what, identity) => {
    const impostor = { ...identity(), peers: pinned("client") };
    const serving = await serve(impostor);
    const [here, there] = [await errorOf(dial(serving, known.client)), (await serving.next()) as SessionError];
    expect(here).toMatchObject({ reason: "certificateRefused", at: `${host}:${serving.listener.port}` });
    expect(here.message).toContain(`expected the server (${fingerprintOf(known.server.certificate)})`);
    expect(here.message).toContain(fingerprintOf(impostor.certificate));
    expect(there.reason).toBe("ownCertificateRefused");
    expect(there.message).toMatch(/^127\.0\.0\.1:\d+ refused this party's certificate/);
  });

  test.each([
    ["expired", -2, -1],
    ["not yet valid", 1, 2],
  ])("a pinned certificate that is %s is refused, and does not start", async (_what, from, to) => {
    const stale = await identities({ client: await pair("client", from, to), server: known.server });
    const serving = await serve(stale.server);
    await expect(dial(serving, stale.client)).rejects.toMatchObject({ reason: "ownCertificateInvalid" });
    // A client that does not look at its own clock.
    const socket = tls.connect({
      host,
      port: serving.listener.port,
      key: stale.client.key,
      cert: stale.client.certificate,
      rejectUnauthorized: false,
    });
    socket.on("error", () => {});
    expect(await serving.next()).toMatchObject({ code: "MRL0721" });
    socket.destroy();
    const old = await identities({ server: await pair("server", from, to) });
    await expect(serve(old.server)).rejects.toMatchObject({ code: "MRL0725" });
  });

  test("every digit of a pin counts", async () => {
    const pin = fingerprintOf(known.client.certificate);
    const near = `${pin.slice(0, -1)}${pin.endsWith("0") ? "1" : "0"}`;
    const serving = await serve({ ...known.server, peers: [{ role: "client", fingerprint: near }] });
    expect(await errorOf(dial(serving, known.client))).toMatchObject({ code: "MRL0722" });
    expect(await serving.next()).toMatchObject({ code: "MRL0720" });
  });

  test("no ticket resumes a connection: every one proves its key anew", async () => {
    const serving = await serve(known.server);
    const { key, certificate: cert } = known.client;
    const dialed = async (session?: Buffer): Promise<{ readonly reused: boolean; readonly ticket?: Buffer }> => {
      const options = { host, port: serving.listener.port, key, cert, rejectUnauthorized: false };
      const socket = tls.connect({ ...options, ...(session && { session }) });
      socket.on("error", () => {});
      let ticket: Buffer | undefined;
      socket.on("session", (given) => {
        ticket = given;
      });
      // What is no greeting is refused, after whatever the handshake gives.
      const answered = new Promise((resolve) => socket.once("data", resolve));
      socket.write(new Uint8Array(64));
      await answered;
      const reused = socket.isSessionReused();
      socket.destroy();
      await serving.next();
      return { reused, ...(ticket && { ticket }) };
    };
    const { ticket } = await dialed();
    expect((await dialed(ticket)).reused).toBe(false);
  });

  test("an expired server is refused by the client", async () => {
    const expired = await pair("server", -2, -1);
    const { client } = await identities({ server: expired });
    const server = tls.createServer({
      key: expired.key,
      cert: expired.certificate,
      requestCert: true,
      rejectUnauthorized: false,
    });
    server.on("secureConnection", (socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as net.AddressInfo;
    await expect(connect({ host, port, identity: client, expect: "server" })).rejects.toMatchObject({
      code: "MRL0721",
    });
    server.close();
  });

  test("a key that does not belong to the pinned certificate cannot even be loaded", async () => {
    const thief = { ...known.client, key: strangers.client.key };
    const serving = await serve(known.server);
    await expect(dial(serving, thief)).rejects.toThrow();
    await stillServes(serving);
  });

  test("no certificate at all", async () => {
    const serving = await serve(known.server);
    const socket = tls.connect({ host, port: serving.listener.port, rejectUnauthorized: false });
    socket.on("error", () => {});
    const refused = (await serving.next()) as SessionError;
    expect([refused.code, refused.message]).toEqual(["MRL0720", expect.stringContaining("found no certificate")]);
    socket.destroy();
    await stillServes(serving);
  });
});
