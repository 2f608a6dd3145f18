import type { Role, SessionError } from "../core/index.ts";
import type { Channel, ChannelTraffic, ExpectedFrame } from "./channel.ts";

export interface RecordedFrame {
  readonly direction: "sent" | "received";
  readonly kind: "payload" | "control";
  readonly bytes: Uint8Array;
}

/** A channel that copies every frame in the order in which this party saw it: the party's view, for leak tests. */
export interface RecordedChannel extends Channel {
  readonly frames: readonly RecordedFrame[];
}

export const recorded = (channel: Channel): RecordedChannel => new Recorder(channel);

class Recorder implements RecordedChannel {
  readonly frames: RecordedFrame[] = [];
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  get peer(): Role {
    return this.#channel.peer;
  }

  get left(): Promise<void> {
    return this.#channel.left;
  }

  get sent(): ChannelTraffic {
    return this.#channel.sent;
  }

  get received(): ChannelTraffic {
    return this.#channel.received;
  }

  async send(frame: Uint8Array, kind: "payload" | "control" = "payload"): Promise<void> {
    this.frames.push({ direction: "sent", kind, bytes: new Uint8Array(frame) });
    await this.#channel.send(frame, kind);
  }

  async receive(expected: ExpectedFrame): Promise<Uint8Array> {
    const bytes = await this.#channel.receive(expected);
    this.frames.push({ direction: "received", kind: expected.kind ?? "payload", bytes: new Uint8Array(bytes) });
    return bytes;
  }

  close(reason?: SessionError): Promise<void> {
    return this.#channel.close(reason);
  }
}
