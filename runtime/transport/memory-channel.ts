import { type Role, type SessionError, sessionError } from "../core/index.ts";
import type { Channel, ChannelOptions, FrameHeader, FrameKind, FramePort } from "./channel.ts";
import { nowMs } from "./clock.ts";
import { FrameQueue } from "./frame-queue.ts";
import { FramedChannel } from "./framed-channel.ts";

/** A sender waits while the peer has this many unread bytes. */
const highWaterBytes = 2 ** 24;

/** Two ends of one link in this process: `a` holds the first, which leads to `b`. */
export function memoryPair(a: Role, b: Role, options: ChannelOptions = {}): [Channel, Channel] {
  const [atA, atB] = [new MemoryPort(b), new MemoryPort(a)];
  atA.other = atB;
  atB.other = atA;
  return [new FramedChannel(atA, b, options), new FramedChannel(atB, a, options)];
}

class MemoryPort implements FramePort {
  other!: MemoryPort;
  wroteAtMs = nowMs();
  readonly #peer: Role;
  readonly #inbox = new FrameQueue();
  #unreadBytes = 0;
  #wakeSender: (() => void) | undefined;

  constructor(peer: Role) {
    this.#peer = peer;
  }

  get left(): Promise<void> {
    return this.#inbox.left;
  }

  get readAtMs(): number {
    return this.#inbox.readAtMs;
  }

  async room(): Promise<void> {
    await this.other.#roomHere();
    if (this.#inbox.ended) throw this.#inbox.ended;
  }

  #roomHere(): Promise<void> {
    if (this.#unreadBytes < highWaterBytes) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wakeSender = resolve;
    });
  }

  write(kind: FrameKind, body: Uint8Array): void {
    this.wroteAtMs = nowMs();
    if (this.other.#inbox.ended) return;
    this.other.#unreadBytes += body.length;
    // A copy: neither party can reach into the other's memory.
    this.other.#inbox.push(kind, new Uint8Array(body));
  }

  head(): Promise<FrameHeader> {
    return this.#inbox.head();
  }

  body(): Promise<Uint8Array> {
    const body = this.#inbox.take();
    this.#unreadBytes -= body.length;
    this.other.wroteAtMs = nowMs();
    this.#release();
    return Promise.resolve(body);
  }

  end(): Promise<void> {
    this.other.#inbox.end(sessionError("peerLeft", { peer: this.other.#peer, where: "between two frames" }));
    this.other.#release();
    return Promise.resolve();
  }

  destroy(error: SessionError): void {
    this.#inbox.end(error, true);
    this.#unreadBytes = 0;
    this.#release();
    void this.end();
  }

  #release(): void {
    if (this.#unreadBytes >= highWaterBytes) return;
    this.#wakeSender?.();
    this.#wakeSender = undefined;
  }
}
