import * as net from "node:net";
import * as tls from "node:tls";
import { describe, expect, test } from "vitest";
import type { SessionError } from "../../../runtime/core/errors.ts";
import type { Identity } from "../../../runtime/transport/node/identity.ts";
import { connect, listen } from "../../../runtime/transport/node/tls.ts";
import { accepted, dial, errorOf, host, known, open, type Serving, serve, stillServes } from "./tls-server.ts";

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
