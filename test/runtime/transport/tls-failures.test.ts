import * as net from "node:net";
import * as tls from "node:tls";
import { describe, expect, test } from "vitest";
import type { SessionError } from "../../../runtime/core/errors.ts";
import { connect, listen } from "../../../runtime/transport/node/tls.ts";
import { accepted, dial, errorOf, host, known, open, type Serving, serve, stillServes } from "./tls-server.ts";

const payloadKind = 0;
const greetingKind = 1;
const goodGreeting = '{"marillc":1,"purpose":"online","session":""}';

/** A socket to the listener that speaks no TLS. */
const plainSocket = (serving: Serving): net.Socket => net.connect(serving.listener.port, host).on("error", () => {});

/** A socket with the client's certificate that has not greeted yet. */
const tlsSocket = (serving: Serving, more: tls.ConnectionOptions = {}): tls.TLSSocket =>
  tls
    .connect({
      host,
      port: serving.listener.port,
      key: known.client.key,
      cert: known.client.certificate,
      rejectUnauthorized: false,
      ...more,
    })
    .on("error", () => {});

/** What precedes each frame: four bytes of length, one of kind. */
const frameHeader = (length: number, kind: number): Buffer => {
  const bytes = Buffer.alloc(5, kind);
  bytes.writeUInt32LE(length);
  return bytes;
};

const greetingFrame = (text: string): Buffer =>
  Buffer.concat([frameHeader(Buffer.byteLength(text), greetingKind), Buffer.from(text)]);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface FailedStart {
  readonly what: string;
  readonly start: (serving: Serving) => unknown;
  readonly reason: SessionError["reason"];
}

describe("a client that never becomes a connection", () => {
  test.each<FailedStart>([
    {
      what: "plain HTTP",
      start: (serving) => plainSocket(serving).write("GET / HTTP/1.1\r\n\r\n"),
      reason: "insecure",
    },
    {
      what: "plain garbage",
      start: (serving) => plainSocket(serving).write(Buffer.alloc(3000, 0xa5)),
      reason: "insecure",
    },
    {
      what: "silence instead of TLS",
      start: (serving) => plainSocket(serving),
      reason: "insecure",
    },
    {
      what: "TLS 1.2",
      start: (serving) => tlsSocket(serving, { maxVersion: "TLSv1.2" }),
      reason: "insecure",
    },
    {
      what: "silence instead of a greeting",
      start: (serving) => tlsSocket(serving),
      reason: "timeout",
    },
    {
      what: "garbage instead of a greeting",
      start: (serving) => tlsSocket(serving).write(Buffer.alloc(64, 0xee)),
      reason: "unexpectedFrame",
    },
    {
      what: "a huge length",
      start: (serving) => tlsSocket(serving).write(frameHeader(0xffffffff, greetingKind)),
      reason: "frameTooLarge",
    },
    {
      what: "a greeting that is no JSON",
      start: (serving) => tlsSocket(serving).write(greetingFrame("{]")),
      reason: "malformed",
    },
    {
      what: "a greeting with a strange purpose",
      start: (serving) => tlsSocket(serving).write(greetingFrame('{"marillc":1,"purpose":"../../x","session":""}')),
      reason: "malformed",
    },
    {
      what: "payload instead of a greeting",
      start: (serving) => tlsSocket(serving).write(frameHeader(9, payloadKind)),
      reason: "unexpectedFrame",
    },
    {
      what: "leaving in the middle of a greeting",
      start: (serving) => tlsSocket(serving).end(frameHeader(40, greetingKind)),
      reason: "peerLeft",
    },
  ])("is refused for $what, and the next client is served", async ({ start, reason }) => {
    const serving = await serve(known.server);

    start(serving);
    const refusal = (await serving.next()) as SessionError;

    expect(refusal.reason).toBe(reason);
    await stillServes(serving);
  });
});

describe("a connection that breaks after its greeting", () => {
  test("names a peer that leaves in the middle of a frame, and the next client is served", async () => {
    const serving = await serve(known.server);
    const socket = tlsSocket(serving);
    const halfAFrame = Buffer.concat([frameHeader(100, payloadKind), Buffer.alloc(50)]);
    socket.write(Buffer.concat([greetingFrame(goodGreeting), halfAFrame]));
    const { channel } = await accepted(serving);
    const failedReceive = errorOf(channel.receive({ exactBytes: 100 }));

    socket.resume().end();

    expect((await failedReceive).message).toBe("the client left the connection in the middle of a frame");
    await stillServes(serving);
  });

  test("fails to receive and to send once it is cut", async () => {
    const serving = await serve(known.server);
    const socket = tlsSocket(serving);
    socket.write(greetingFrame(goodGreeting));
    const { channel } = await accepted(serving);
    const failedReceive = errorOf(channel.receive({ exactBytes: 100 }));

    socket.destroy();

    expect((await failedReceive).reason).toBe("peerLeft");
    expect((await errorOf(channel.send(Uint8Array.of(1)))).reason).toBe("peerLeft");
  });

  test("tells one who only sends why the peer gave up, and queues nothing for it", async () => {
    const serving = await serve(known.server);
    const dealer = await dial(serving, known.dealer);
    const { channel: server } = await accepted(serving);
    const sendManyMebibytes = async (): Promise<void> => {
      for (let k = 0; k < 1000; k++) await dealer.send(new Uint8Array(2 ** 20));
    };

    await dealer.send(new Uint8Array(10));
    const failedReceive = errorOf(server.receive({ exactBytes: 11 }));
    const failedSend = await errorOf(sendManyMebibytes());

    expect((await failedReceive).code).toBe("MRL0702");
    expect(failedSend).toMatchObject({ reason: "peerAborted", peerCode: "MRL0702" });
  });

  test("is closed by a fault in what serves it, which is not blamed on the peer", async () => {
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
    const failedReceive = await errorOf(client.receive({ exactBytes: 1 }));

    expect(failedReceive.reason).toBe("peerLeft");
    expect(failed).toEqual([fault]);
    expect(refused).toEqual([]);
  });
});

describe("a server that cannot be reached", () => {
  test("names host and port when the port is taken", async () => {
    const serving = await serve(known.server);
    const { port } = serving.listener;

    const listening = listen({ host, port, identity: known.server, onConnection: () => {} });

    await expect(listening).rejects.toMatchObject({ reason: "cannotListen", at: `${host}:${port}` });
  });

  test("names host and port when nobody listens", async () => {
    const serving = await serve(known.server);
    const { port } = serving.listener;
    await serving.listener.close();

    const error = await errorOf(connect({ host, port, identity: known.client, expect: "server" }));

    expect(error.code).toBe("MRL0723");
    expect(error.message).toBe("cannot reach the server: nothing listens there (ECONNREFUSED)");
    expect(error.help).toContain(`${host}:${port}`);
  });

  test("is waited for by a patient client until it starts", async () => {
    const earlier = await serve(known.server);
    const { port } = earlier.listener;
    await earlier.listener.close();

    const connecting = connect({ host, port, identity: known.client, expect: "server", patienceMs: 5000 });
    await pause(100);
    open.push(await listen({ host, port, identity: known.server, onConnection: (channel) => void open.push(channel) }));
    const channel = await connecting;
    open.push(channel);

    expect(channel.peer).toBe("server");
  });

  test.each([
    { what: "is silent", answer: "" },
    { what: "speaks plain text", answer: "HTTP/1.1 400 Bad Request\r\n\r\n" },
  ])("is insecure when it is not marillc and $what", async ({ answer }) => {
    const server = net.createServer((socket) => socket.on("error", () => {}).write(answer));
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as net.AddressInfo;

    const error = await errorOf(
      connect({ host, port, identity: known.client, expect: "server", handshakeTimeoutMs: 200 }),
    );
    server.close();

    expect(error.reason).toBe("insecure");
  });
});

describe("a listener that closes", () => {
  test("drops those that never greeted, and keeps open channels", async () => {
    const serving = await serve(known.server);
    const client = await dial(serving, known.client);
    const { channel } = await accepted(serving);
    const idle = plainSocket(serving);
    await new Promise((resolve) => idle.once("connect", resolve));
    await pause(20);
    const idleClosed = new Promise((resolve) => idle.once("close", resolve));

    await serving.listener.close();

    await idleClosed;
    await client.send(Uint8Array.of(1));
    expect(await channel.receive({ exactBytes: 1 })).toEqual(Uint8Array.of(1));
  });
});
