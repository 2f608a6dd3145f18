import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import { FramedChannel } from "../../../runtime/transport/framed-channel.ts";
import { SocketPort } from "../../../runtime/transport/node/socket-port.ts";

test("a payload that comes byte by byte is refused, though the peer is never silent for long", async () => {
  const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  const channel = new FramedChannel(new SocketPort(socket, "client", "test"), "client", { idleTimeoutMs: 150 });
  const frame = Buffer.alloc(5 + 1000);
  frame.writeUInt32LE(1000);
  let at = 0;
  const timer = setInterval(() => socket.push(frame.subarray(at, ++at)), 20);
  const started = performance.now();
  await expect(channel.receive({ exactBytes: 1000 })).rejects.toMatchObject({ reason: "timeout" });
  clearInterval(timer);
  // The silence that is allowed, and 8 ms for a thousand bytes: hundreds of bytes before the frame is whole.
  expect(performance.now() - started).toBeLessThan(2_000);
});

test("a whole frame has to come within the time that its query has left", async () => {
  const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  const channel = new FramedChannel(new SocketPort(socket, "client", "test"), "client");
  await expect(channel.receive({ exactBytes: 1, extraMs: 1e6, withinMs: 30 })).rejects.toMatchObject({
    reason: "timeout",
  });
});
