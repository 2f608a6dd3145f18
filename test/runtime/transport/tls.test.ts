import * as net from "node:net";
import * as tls from "node:tls";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { connect, fingerprintOf, type Identity, type Listener, listen } from "../../../runtime/node.ts";
import type { SessionError } from "../../../runtime/session/errors.ts";
import type { Role } from "../../../runtime/steps.ts";
import type { Channel } from "../../../runtime/transport/channel.ts";
import type { Hello } from "../../../runtime/transport/greeting.ts";
import { identities, pair } from "./identities.ts";

const host = "127.0.0.1";
let known: Record<Role, Identity>;
let strangers: Record<Role, Identity>;
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  [known, strangers] = await Promise.all([identities(), identities()]);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

interface Serving {
  readonly listener: Listener;
  /** The next connection, or the reason why there was none. */
  next(): Promise<{ channel: Channel; hello: Hello } | SessionError>;
}

async function serve(identity: Identity, options: { accepts?: Role[]; idleTimeoutMs?: number } = {}): Promise<Serving> {
  const events: ({ channel: Channel; hello: Hello } | SessionError)[] = [];
  const waiting: ((event: { channel: Channel; hello: Hello } | SessionError) => void)[] = [];
  const happen = (event: { channel: Channel; hello: Hello } | SessionError): void => {
    const wake = waiting.shift();
    if (wake) wake(event);
    else events.push(event);
  };
  const listener = await listen({
    host,
    port: 0,
    identity,
    handshakeTimeoutMs: 400,
    ...options,
    onConnection: (channel, hello) => {
      open.push(channel);
      happen({ channel, hello });
    },
    onRefused: happen,
  });
  open.push(listener);
  return { listener, next: async () => events.shift() ?? new Promise((resolve) => waiting.push(resolve)) };
}

async function dial(serving: Serving, identity: Identity, expect: Role = "server"): Promise<Channel> {
  const { port } = serving.listener;
  const channel = await connect({ host, port, identity, expect, handshakeTimeoutMs: 2000, session: "s-1" });
  open.push(channel);
  return channel;
}

async function accepted(serving: Serving): Promise<{ channel: Channel; hello: Hello }> {
  const event = await serving.next();
  if (event instanceof Error) throw event;
  return event;
}

/** The listener still serves an honest client. */
async function stillServes(serving: Serving): Promise<void> {
  const client = await dial(serving, known.client);
  const { channel } = await accepted(serving);
  await client.send(Uint8Array.of(42));
  expect(await channel.receive({ exactBytes: 1 })).toEqual(Uint8Array.of(42));
}

const errorOf = (promise: Promise<unknown>): Promise<SessionError> =>
  promise.then(
    () => expect.fail("no error"),
    (e) => e,
  );

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
    [
      "our own",
      () => ({ ...known.server, peers: { server: fingerprintOf(known.server.certificate) } }),
      /unknown cert/,
    ],
  ])("a client with the certificate %s is refused at both ends", async (_what, identity, found) => {
    const serving = await serve(known.server, { accepts: ["client"] });
    const stranger = { ...identity(), peers: { server: fingerprintOf(known.server.certificate) } };
    const [here, there] = [await errorOf(dial(serving, stranger)), (await serving.next()) as SessionError];
    expect(here).toMatchObject({ reason: "ownCertificateRefused", code: "MRL0722" });
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
    const impostor = { ...identity(), peers: { client: fingerprintOf(known.client.certificate) } };
    const serving = await serve(impostor);
    const [here, there] = [await errorOf(dial(serving, known.client)), (await serving.next()) as SessionError];
    expect(here).toMatchObject({ reason: "certificateRefused", at: `${host}:${serving.listener.port}` });
    expect(here.message).toContain(`expected the server (${fingerprintOf(known.server.certificate)})`);
    expect(here.message).toContain(fingerprintOf(impostor.certificate));
    expect(there.reason).toBe("ownCertificateRefused");
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

describe("connections that come to nothing", () => {
  const raw = (serving: Serving): net.Socket => net.connect(serving.listener.port, host).on("error", () => {});
  const secure = (serving: Serving, identity: Identity, more: tls.ConnectionOptions = {}): tls.TLSSocket =>
    tls
      .connect({
        host,
        port: serving.listener.port,
        key: identity.key,
        cert: identity.certificate,
        rejectUnauthorized: false,
        ...more,
      })
      .on("error", () => {});
  const header = (length: number, kind: number): Buffer => {
    const bytes = Buffer.alloc(5, kind);
    bytes.writeUInt32LE(length);
    return bytes;
  };

  test.each([
    ["plain HTTP", (s: Serving) => raw(s).write("GET / HTTP/1.1\r\n\r\n"), "insecure"],
    ["plain garbage", (s: Serving) => raw(s).write(Buffer.alloc(3000, 0xa5)), "insecure"],
    ["silence instead of TLS", (s: Serving) => raw(s), "insecure"],
    ["TLS 1.2", (s: Serving) => secure(s, known.client, { maxVersion: "TLSv1.2" }), "insecure"],
    ["silence instead of a greeting", (s: Serving) => secure(s, known.client), "timeout"],
    [
      "garbage instead of a greeting",
      (s: Serving) => secure(s, known.client).write(Buffer.alloc(64, 0xee)),
      "unexpectedFrame",
    ],
    ["a huge length", (s: Serving) => secure(s, known.client).write(header(0xffffffff, 1)), "frameTooLarge"],
    [
      "a greeting that is no JSON",
      (s: Serving) => secure(s, known.client).write(Buffer.concat([header(2, 1), Buffer.from("{]")])),
      "malformed",
    ],
    [
      "a greeting with a strange purpose",
      (s: Serving) =>
        secure(s, known.client).write(
          Buffer.concat([header(46, 1), Buffer.from('{"marillc":1,"purpose":"../../x","session":""}')]),
        ),
      "malformed",
    ],
    ["payload instead of a greeting", (s: Serving) => secure(s, known.client).write(header(9, 0)), "unexpectedFrame"],
    ["leaving in the middle of a greeting", (s: Serving) => secure(s, known.client).end(header(40, 1)), "peerLeft"],
  ] as const)("%s; the next client is served", async (_what, start, reason) => {
    const serving = await serve(known.server);
    start(serving);
    expect(((await serving.next()) as SessionError).reason).toBe(reason);
    await stillServes(serving);
  });

  test("a peer that leaves in the middle of a frame", async () => {
    const serving = await serve(known.server);
    const socket = secure(serving, known.client);
    const hello = Buffer.from('{"marillc":1,"purpose":"online","session":""}');
    socket.write(Buffer.concat([header(hello.length, 1), hello, header(100, 0), Buffer.alloc(50)]));
    const { channel } = await accepted(serving);
    const pending = errorOf(channel.receive({ exactBytes: 100 }));
    socket.resume().end();
    expect((await pending).message).toBe("the client left the connection in the middle of a frame");
    await stillServes(serving);
  });

  test("a connection that is cut", async () => {
    const serving = await serve(known.server);
    const socket = secure(serving, known.client);
    const hello = Buffer.from('{"marillc":1,"purpose":"online","session":""}');
    socket.write(Buffer.concat([header(hello.length, 1), hello]));
    const { channel } = await accepted(serving);
    const pending = errorOf(channel.receive({ exactBytes: 100 }));
    socket.destroy();
    expect((await pending).reason).toBe("peerLeft");
    expect((await errorOf(channel.send(Uint8Array.of(1)))).reason).toBe("peerLeft");
  });

  test("nobody listens, and the port is taken: named with host and port", async () => {
    const serving = await serve(known.server);
    const { port } = serving.listener;
    await expect(listen({ host, port, identity: known.server, onConnection: () => {} })).rejects.toMatchObject({
      reason: "cannotListen",
      at: `${host}:${port}`,
    });
    await serving.listener.close();
    const error = await errorOf(connect({ host, port, identity: known.client, expect: "server" }));
    expect([error.code, error.help]).toEqual(["MRL0723", expect.stringContaining(`${host}:${port}`)]);
  });

  test("a patient client waits for a server that starts later", async () => {
    const first = await serve(known.server);
    const { port } = first.listener;
    await first.listener.close();
    const connecting = connect({ host, port, identity: known.client, expect: "server", patienceMs: 5000 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    open.push(await listen({ host, port, identity: known.server, onConnection: (channel) => void open.push(channel) }));
    const channel = await connecting;
    open.push(channel);
    expect(channel.peer).toBe("server");
  });

  test("a fault in what serves a connection closes it and is not blamed on the peer", async () => {
    const fault = new Error("a fault of ours");
    const failed: unknown[] = [];
    const refused: unknown[] = [];
    const listener = await listen({
      host,
      port: 0,
      identity: known.server,
      onConnection: () => Promise.reject(fault),
      onFailed: (error) => failed.push(error),
      onRefused: (error) => refused.push(error),
    });
    open.push(listener);
    const client = await connect({ host, port: listener.port, identity: known.client, expect: "server" });
    expect((await errorOf(client.receive({ exactBytes: 1 }))).reason).toBe("peerLeft");
    expect([failed, refused]).toEqual([[fault], []]);
  });

  test("one who only sends hears why the peer gave up, and queues nothing for it", async () => {
    const serving = await serve(known.server);
    const dealer = await dial(serving, known.dealer);
    const { channel: server } = await accepted(serving);
    await dealer.send(new Uint8Array(10));
    const refusing = errorOf(server.receive({ exactBytes: 11 }));
    const error = await errorOf(
      (async () => {
        for (let k = 0; k < 1000; k++) await dealer.send(new Uint8Array(2 ** 20));
      })(),
    );
    expect((await refusing).code).toBe("MRL0702");
    expect(error).toMatchObject({ reason: "peerAborted", peerCode: "MRL0702" });
  });

  test("a server that is not marillc: silent, and speaking plain text", async () => {
    for (const [answer, reason] of [
      ["", "insecure"],
      ["HTTP/1.1 400 Bad Request\r\n\r\n", "insecure"],
    ] as const) {
      const server = net.createServer((socket) => socket.on("error", () => {}).write(answer));
      await new Promise<void>((resolve) => server.listen(0, host, resolve));
      const { port } = server.address() as net.AddressInfo;
      const identity = known.client;
      const error = await errorOf(connect({ host, port, identity, expect: "server", handshakeTimeoutMs: 200 }));
      expect(error.reason).toBe(reason);
      server.close();
    }
  });

  test("closing the listener drops those that never greeted, and keeps open channels", async () => {
    const serving = await serve(known.server);
    const client = await dial(serving, known.client);
    const { channel } = await accepted(serving);
    const idle = raw(serving);
    await new Promise((resolve) => idle.once("connect", resolve));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const closed = new Promise((resolve) => idle.once("close", resolve));
    await serving.listener.close();
    await closed;
    await client.send(Uint8Array.of(1));
    expect(await channel.receive({ exactBytes: 1 })).toEqual(Uint8Array.of(1));
  });
});
