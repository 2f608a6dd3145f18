import type { Role, SessionError } from "../core/index.ts";
import { type Channel, type ChannelTraffic, type ExpectedFrame, headerBytes } from "./channel.ts";
import { type Clock, machineClock } from "./clock.ts";
import { type LinkProfile, transmissionMs } from "./link-profile.ts";

/** Arrival time of the frame, a float64 of `machineMs`, appended to it. Not counted: a real link has none. */
const stampBytes = 8;
/** A sender may be ahead of the link by this many bytes, as with the send buffer of a socket. */
const bufferedBytes = 2 ** 22;

/** Both ends of a pair over a slow link. */
export const shapedPair = (
  [a, b]: readonly [Channel, Channel],
  link: LinkProfile,
  clock: Clock = machineClock,
): [Channel, Channel] => [shaped(a, link, clock), shaped(b, link, clock)];

/**
 * One end of a slow link; the other end must be shaped with the same profile, on this machine. A frame leaves when the
 * link is free, occupies it for its length, and arrives half a round trip later. The sender computes the arrival time
 * and the receiver waits until then: no party's own computing delays a frame on its way.
 */
export const shaped = (channel: Channel, link: LinkProfile, clock: Clock = machineClock): Channel =>
  new ShapedChannel(channel, link, clock);

class ShapedChannel implements Channel {
  readonly #channel: Channel;
  readonly #link: LinkProfile;
  readonly #clock: Clock;
  #linkFreeAtMs = 0;

  constructor(channel: Channel, link: LinkProfile, clock: Clock) {
    this.#channel = channel;
    this.#link = link;
    this.#clock = clock;
  }

  get peer(): Role {
    return this.#channel.peer;
  }

  get left(): Promise<void> {
    return this.#channel.left;
  }

  get link(): LinkProfile {
    return this.#link;
  }

  get waitedMs(): number {
    return this.#channel.waitedMs ?? 0;
  }

  get sent(): ChannelTraffic {
    return withoutStamps(this.#channel.sent, this.#sentControl);
  }

  get received(): ChannelTraffic {
    return withoutStamps(this.#channel.received, this.#receivedControl);
  }

  #sentControl = 0;
  #receivedControl = 0;

  async send(frame: Uint8Array, kind: "payload" | "control" | "wait" = "payload"): Promise<void> {
    if (kind === "wait") return await this.#channel.send(frame, kind);
    const startsAtMs = Math.max(this.#clock.nowMs(), this.#linkFreeAtMs);
    this.#linkFreeAtMs = startsAtMs + transmissionMs(this.#link, frame.length + headerBytes);
    const stamped = new Uint8Array(frame.length + stampBytes);
    stamped.set(frame);
    const arrivesAtMs = this.#linkFreeAtMs + this.#link.roundTripMs / 2;
    new DataView(stamped.buffer).setFloat64(frame.length, arrivesAtMs, true);
    const sending = this.#channel.send(stamped, kind);
    if (kind === "control") this.#sentControl++;
    const roomAtMs = startsAtMs - transmissionMs(this.#link, bufferedBytes);
    if (roomAtMs > this.#clock.nowMs()) await this.#clock.waitUntil(roomAtMs);
    await sending;
  }

  async receive(expected: ExpectedFrame): Promise<Uint8Array> {
    const stamped = await this.#channel.receive(
      "exactBytes" in expected
        ? { ...expected, exactBytes: expected.exactBytes + stampBytes }
        : { ...expected, maxBytes: expected.maxBytes + stampBytes },
    );
    if (expected.kind === "control") this.#receivedControl++;
    const bytes = stamped.length - stampBytes;
    await this.#clock.waitUntil(new DataView(stamped.buffer).getFloat64(bytes, true));
    return stamped.subarray(0, bytes);
  }

  close(reason?: SessionError): Promise<void> {
    return this.#channel.close(reason);
  }
}

const withoutStamps = (traffic: ChannelTraffic, controlFrames: number): ChannelTraffic => ({
  messages: traffic.messages,
  payloadBytes: traffic.payloadBytes - traffic.messages * stampBytes,
  framingBytes: traffic.framingBytes - controlFrames * stampBytes,
});
