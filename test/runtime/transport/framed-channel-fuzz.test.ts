import { Duplex } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SessionError } from "../../../runtime/core/errors.ts";
import { type ExpectedFrame, frameKinds, headerBytes } from "../../../runtime/transport/channel.ts";
import { FramedChannel } from "../../../runtime/transport/framed-channel.ts";
import { receiveHello } from "../../../runtime/transport/node/greeting.ts";
import { SocketPort } from "../../../runtime/transport/node/socket-port.ts";

/** A connection on which these bytes arrive, cut as given, and then the end. */
function arriving(bytes: Uint8Array, cuts: readonly number[]): FramedChannel {
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done(), allowHalfOpen: false });
  let start = 0;
  for (const cut of [...cuts.map((each) => each % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    if (cut > start) socket.push(bytes.subarray(start, cut));
    start = Math.max(start, cut);
  }
  socket.push(null);
  return new FramedChannel(new SocketPort(socket, "client", "test"), "client", { idleTimeoutMs: 2000 });
}

function framed(frames: readonly { kind: number; body: Uint8Array }[]): Uint8Array {
  return Uint8Array.from(
    frames.flatMap(({ kind, body }) => {
      const header = new Uint8Array(headerBytes);
      new DataView(header.buffer).setUint32(0, body.length, true);
      header[4] = kind;
      return [...header, ...body];
    }),
  );
}

const frame = fc.record({ kind: fc.nat({ max: 1 }), body: fc.uint8Array({ maxLength: 40 }) });
const cuts = fc.array(fc.nat(), { maxLength: 6 });

describe("a byte stream from anybody", () => {
  test("frames are the same however the network cuts them", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 6 }), cuts, async (frames, where) => {
        const channel = arriving(framed(frames), where);
        for (const { kind, body } of frames) {
          const name = frameKinds[kind] as "payload" | "control";
          expect(await channel.receive({ exactBytes: body.length, kind: name })).toEqual(body);
        }
        await expect(channel.receive({ maxBytes: 9 })).rejects.toMatchObject({ reason: "peerLeft" });
        const payloads = frames.filter(({ kind }) => kind === 0);
        expect(channel.received.payloadBytes).toBe(payloads.reduce((sum, { body }) => sum + body.length, 0));
      }),
      { numRuns: 300 },
    );
  });

  test("any bytes give frames that fit, or a named error", async () => {
    const reasons = new Set<string>();
    const damaged = fc
      .tuple(
        fc.array(frame, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }),
        fc.nat(),
      )
      .map(([frames, flips, length]) => {
        const bytes = framed(frames);
        for (const [at, value] of flips) bytes[at % bytes.length] = value;
        return bytes.subarray(0, length % 3 ? bytes.length : length % bytes.length);
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 64 }), damaged), cuts, async (bytes, where) => {
        const channel = arriving(bytes, where);
        const expected: ExpectedFrame = { maxBytes: 32 };
        for (;;) {
          const result = await channel.receive(expected).catch((error) => error);
          if (result instanceof Uint8Array) expect(result.length).toBeLessThanOrEqual(32);
          else {
            expect(result).toBeInstanceOf(SessionError);
            reasons.add(result.reason);
            return;
          }
        }
      }),
      { numRuns: 2000 },
    );
    expect([...reasons]).toEqual(expect.arrayContaining(["peerLeft", "frameTooLarge", "unexpectedFrame"]));
  });

  test("any greeting is read or refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.json(), fc.string()), async (text) => {
        const channel = arriving(framed([{ kind: 1, body: new TextEncoder().encode(text) }]), []);
        expect(await receiveHello(channel, 1000).catch((error) => error)).toBeInstanceOf(SessionError);
      }),
      { numRuns: 300 },
    );
  });
});
