import { MessageChannel, type MessagePort } from "node:worker_threads";
import { type Role, type SessionError, sessionError } from "../../core/index.ts";
import {
  type Channel,
  type ChannelOptions,
  FramedChannel,
  type FrameHeader,
  type FrameKind,
  type FramePort,
  FrameQueue,
  nowMs,
} from "../index.ts";

/** A sender waits while the other end has this many unread bytes. */
const highWaterBytes = 2 ** 24;

type Message =
  | { readonly kind: FrameKind; readonly body: ArrayBuffer }
  | { readonly readBytes: number }
  | { readonly left: true };

/**
 * Both ends of a link between two threads: give one to each worker (workerData and transferList), then `workerChannel`.
 */
export function workerLink(): [MessagePort, MessagePort] {
  const { port1, port2 } = new MessageChannel();
  return [port1, port2];
}

/**
 * A channel over one end of a link whose other end `peer` holds. Buffers are transferred between threads, not copied.
 */
export const workerChannel = (port: MessagePort, peer: Role, options: ChannelOptions = {}): Channel =>
  new FramedChannel(new WorkerPort(port, peer), peer, options);

class WorkerPort implements FramePort {
  wroteAtMs = nowMs();
  readonly #port: MessagePort;
  readonly #peer: Role;
  readonly #inbox = new FrameQueue();
  #unreadBytes = 0;
  #wake: (() => void) | undefined;

  constructor(port: MessagePort, peer: Role) {
    this.#port = port;
    this.#peer = peer;
    port.on("message", (message: Message) => this.#arrive(message));
    port.on("messageerror", () => this.#left("in the middle of a frame"));
    // This event also follows when the other thread ends or crashes.
    port.on("close", () => this.#left("between two frames"));
  }

  get left(): Promise<void> {
    return this.#inbox.left;
  }

  get readAtMs(): number {
    return this.#inbox.readAtMs;
  }

  async room(): Promise<void> {
    while (this.#unreadBytes >= highWaterBytes && !this.#inbox.ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#inbox.ended) throw this.#inbox.ended;
  }

  write(kind: FrameKind, body: Uint8Array): void {
    this.wroteAtMs = nowMs();
    this.#unreadBytes += body.length;
    // The caller keeps its frame; the copy moves to the other thread.
    const copy = new Uint8Array(body).buffer as ArrayBuffer;
    this.#port.postMessage({ kind, body: copy } satisfies Message, [copy]);
  }

  head(): Promise<FrameHeader> {
    return this.#inbox.head();
  }

  body(): Promise<Uint8Array> {
    const body = this.#inbox.take();
    this.#port.postMessage({ readBytes: body.length } satisfies Message);
    return Promise.resolve(body);
  }

  end(): Promise<void> {
    this.#port.postMessage({ left: true } satisfies Message);
    return Promise.resolve();
  }

  destroy(error: SessionError): void {
    this.#inbox.end(error, true);
    this.#release();
    this.#port.close();
  }

  #arrive(message: Message): void {
    if ("left" in message) this.#left("between two frames");
    else if ("body" in message) this.#inbox.push(message.kind, new Uint8Array(message.body));
    else this.#acknowledged(message.readBytes);
  }

  #acknowledged(bytes: number): void {
    this.#unreadBytes -= bytes;
    this.wroteAtMs = nowMs();
    if (this.#unreadBytes < highWaterBytes) this.#release();
  }

  #left(where: string): void {
    this.#inbox.end(sessionError("peerLeft", { peer: this.#peer, where }));
    this.#release();
  }

  #release(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
