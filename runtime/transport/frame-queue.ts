import type { SessionError } from "../core/index.ts";
import { type FrameHeader, type FrameKind, frameKinds } from "./channel.ts";
import { nowMs } from "./clock.ts";

interface PendingHead {
  readonly resolve: (head: FrameHeader) => void;
  readonly reject: (error: SessionError) => void;
}

/** Frames that arrived before they were requested: the receiving half of transports that carry whole frames. */
export class FrameQueue {
  #frames: { kind: FrameKind; body: Uint8Array }[] = [];
  #waiting: PendingHead | undefined;
  #end: SessionError | undefined;
  readAtMs = nowMs();
  #announceEnd!: () => void;
  /** Resolves once no more frames will come. */
  readonly left = new Promise<void>((resolve) => {
    this.#announceEnd = resolve;
  });

  /** The reason why no more frames will come, once there is one. */
  get ended(): SessionError | undefined {
    return this.#end;
  }

  push(kind: FrameKind, body: Uint8Array): void {
    if (this.#end) return;
    this.#frames.push({ kind, body });
    this.readAtMs = nowMs();
    this.#waiting?.resolve({ kind: frameKinds.indexOf(kind), bytes: body.length });
    this.#waiting = undefined;
  }

  head(): Promise<FrameHeader> {
    const [first] = this.#frames;
    if (first) return Promise.resolve({ kind: frameKinds.indexOf(first.kind), bytes: first.body.length });
    if (this.#end) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  take(): Uint8Array {
    return this.#frames.shift()!.body;
  }

  /** No more frames will come. Frames that arrived can still be read, unless they are dropped. */
  end(error: SessionError, drop = false): void {
    this.#end ??= error;
    this.#announceEnd();
    if (drop) this.#frames = [];
    this.#waiting?.reject(this.#end);
    this.#waiting = undefined;
  }
}
