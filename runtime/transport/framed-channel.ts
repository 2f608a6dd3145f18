import { describeCode, type Role, SessionError, type SessionErrorDetails, sessionError } from "../core/index.ts";
import {
  type Channel,
  type ChannelOptions,
  type ChannelTraffic,
  defaultIdleTimeoutMs,
  type ExpectedFrame,
  type FrameHeader,
  type FrameKind,
  type FramePort,
  frameKinds,
  headerBytes,
  maxFrameBytes,
  slowestLink,
} from "./channel.ts";
import { afterIo, nowMs } from "./clock.ts";
import { transmissionMs } from "./link-profile.ts";

/**
 * An abort frame holds a code, and of a busy service the seconds after which to ask again. Neither says anything about
 * secrets.
 */
const abortBytes = 7;
const retryBytes = 2;
const mostRetrySeconds = 2 ** 16 - 1;

function encodeAbort({ code, retryAfterSeconds }: SessionError): Uint8Array {
  const letters = Uint8Array.from(code, (letter) => letter.charCodeAt(0));
  if (retryAfterSeconds === undefined) return letters;
  const seconds = Math.min(mostRetrySeconds, Math.max(0, Math.ceil(retryAfterSeconds)));
  return Uint8Array.of(...letters, seconds & 255, seconds >> 8);
}

function decodeAbort(body: Uint8Array): SessionErrorDetails {
  const peerCode = String.fromCharCode(...body.subarray(0, abortBytes));
  const [low, high] = body.subarray(abortBytes);
  return low === undefined || high === undefined ? { peerCode } : { peerCode, retryAfterSeconds: low + 256 * high };
}
const closeTimeoutMs = 5_000;
/**
 * A party asks for patience every 20 s. Whoever does so without a pause would keep its peer, and those to whom that
 * passes it on, at work for as long as it may ask.
 */
const mostWaits = 10_000;

type Counters = { -readonly [K in keyof ChannelTraffic]: number };

const noTraffic = (): Counters => ({ messages: 0, payloadBytes: 0, framingBytes: 0 });

function count(traffic: Counters, kind: FrameKind, bytes: number): void {
  traffic.framingBytes += headerBytes;
  if (kind !== "payload") traffic.framingBytes += bytes;
  else {
    traffic.messages += 1;
    traffic.payloadBytes += bytes;
  }
}

/** The error if this header does not announce the expected frame. */
function frameMismatch(peer: Role, head: FrameHeader, expected: ExpectedFrame): SessionError | undefined {
  const kind = expected.kind ?? "payload";
  if (frameKinds[head.kind] !== kind) {
    return sessionError("unexpectedFrame", { peer, found: frameKinds[head.kind] ?? head.kind, expected: kind });
  }
  if ("exactBytes" in expected) {
    if (head.bytes === expected.exactBytes) return undefined;
    return sessionError("wrongLength", { peer, found: head.bytes, expected: expected.exactBytes });
  }
  if (head.bytes <= expected.maxBytes) return undefined;
  return sessionError("frameTooLarge", { peer, found: head.bytes, expected: expected.maxBytes });
}

/** Rejects when `idleMs` grows beyond the timeout before the work is done. */
function watched<T>(work: Promise<T>, timeoutMs: number, idleMs: () => number, late: () => SessionError): Promise<T> {
  return new Promise((resolve, reject) => {
    // A long computation delays timers and input alike: look at the input first, then decide.
    const check = (): void =>
      afterIo(() => {
        if (settled) return;
        const idle = idleMs();
        if (idle >= timeoutMs) reject(late());
        else timer = setTimeout(check, timeoutMs - idle);
      });
    let timer = setTimeout(check, timeoutMs);
    let settled = false;
    const settle = (): void => {
      settled = true;
      clearTimeout(timer);
    };
    work.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error) => {
        settle();
        reject(error);
      },
    );
  });
}

export class FramedChannel implements Channel {
  readonly peer: Role;
  readonly sent = noTraffic();
  readonly received = noTraffic();
  readonly #port: FramePort;
  readonly #idleTimeoutMs: number;
  readonly #mostWaitMs: number;
  readonly #onWait: () => void;
  waitedMs = 0;
  #failure: SessionError | undefined;
  #closing: Promise<void> | undefined;
  #sending: Promise<unknown> = Promise.resolve();
  #receiving: Promise<unknown> = Promise.resolve();
  #pendingReceives = 0;

  constructor(port: FramePort, peer: Role, options: ChannelOptions = {}) {
    this.#port = port;
    this.peer = peer;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? defaultIdleTimeoutMs;
    this.#mostWaitMs = options.mostWaitMs ?? 0;
    this.#onWait = options.onWait ?? (() => {});
  }

  send(frame: Uint8Array, kind: "payload" | "control" | "wait" = "payload"): Promise<void> {
    if (frame.length > maxFrameBytes) throw new RangeError(`a frame holds at most ${maxFrameBytes} bytes`);
    const sending = this.#sending.then(() => this.#guarded(() => this.#send(frame, kind)));
    this.#sending = sending.catch(() => {});
    return sending;
  }

  receive(expected: ExpectedFrame): Promise<Uint8Array> {
    const receiving = this.#receiving.then(() => this.#guarded(() => this.#receive(expected)));
    const done = (): void => {
      this.#pendingReceives--;
    };
    this.#pendingReceives++;
    this.#receiving = receiving.then(done, done);
    return receiving;
  }

  get left(): Promise<void> {
    return this.#port.left;
  }

  close(reason?: SessionError): Promise<void> {
    this.#closing ??= this.#close(reason);
    return this.#closing;
  }

  async #send(frame: Uint8Array, kind: FrameKind): Promise<void> {
    const startedAtMs = nowMs();
    await watched(
      this.#port.room().catch(async (error) => {
        throw await this.#lastWords(error);
      }),
      this.#idleTimeoutMs,
      () => nowMs() - Math.max(startedAtMs, this.#port.wroteAtMs),
      () => this.#late("sending to it", this.#idleTimeoutMs),
    );
    if (this.#failure) throw this.#failure;
    this.#port.write(kind, frame);
    count(this.sent, kind, frame.length);
  }

  async #receive(expected: ExpectedFrame): Promise<Uint8Array> {
    let startedAtMs = nowMs();
    let excusedMs = 0;
    // Every clock of this receive starts anew, until the peer has asked for all the time that it may.
    const wait = (): void => {
      const askedMs = nowMs() - startedAtMs;
      if (excusedMs + askedMs > this.#mostWaitMs) return;
      excusedMs += askedMs;
      this.waitedMs += askedMs;
      startedAtMs += askedMs;
      this.#onWait();
    };
    const { extraMs = 0, withinMs = Number.POSITIVE_INFINITY } = expected;
    const timeoutMs = Math.min(withinMs, (expected.timeoutMs ?? this.#idleTimeoutMs) + extraMs);
    // A byte now and then does not hold a payload open: the whole frame has to come at the speed of the slowest link.
    const bytes = "exactBytes" in expected ? expected.exactBytes : expected.maxBytes;
    const wholeMs = transmissionMs(slowestLink, bytes);
    const idleMs = (): number => {
      const sinceStartMs = nowMs() - startedAtMs;
      return expected.kind === "control"
        ? sinceStartMs
        : Math.max(
            Math.min(sinceStartMs, nowMs() - this.#port.readAtMs),
            sinceStartMs - wholeMs,
            sinceStartMs + timeoutMs - withinMs,
          );
    };
    return watched(this.#frame(expected, wait), timeoutMs, idleMs, () =>
      this.#late(expected.kind === "control" ? "waiting for its greeting" : "waiting for its message", timeoutMs),
    );
  }

  async #frame(expected: ExpectedFrame, onWait: () => void = () => {}): Promise<Uint8Array> {
    let head = await this.#port.head();
    const mayAsk = this.#mostWaitMs > 0 ? mostWaits : 0;
    for (let asked = 0; frameKinds[head.kind] === "wait" && head.bytes === 0 && asked < mayAsk; asked++) {
      await this.#port.body();
      count(this.received, "wait", 0);
      onWait();
      head = await this.#port.head();
    }
    if (frameKinds[head.kind] === "abort" && [abortBytes, abortBytes + retryBytes].includes(head.bytes)) {
      const details = decodeAbort(await this.#port.body());
      count(this.received, "abort", head.bytes);
      throw sessionError("peerAborted", { peer: this.peer, theirs: describeCode(details.peerCode!) }, details);
    }
    const error = frameMismatch(this.peer, head, expected);
    if (error) throw error;
    const body = await this.#port.body();
    count(this.received, frameKinds[head.kind]!, head.bytes);
    return body;
  }

  /** A sender that finds the peer gone looks for an abort code that the peer may have sent. */
  async #lastWords(error: SessionError): Promise<SessionError> {
    if (this.#pendingReceives > 0) return error;
    return this.#frame({ exactBytes: 0 }).then(
      () => error,
      (last) => (last instanceof SessionError && last.reason === "peerAborted" ? last : error),
    );
  }

  #late(doing: string, timeoutMs: number): SessionError {
    return sessionError("timeout", { peer: this.peer, seconds: timeoutMs / 1000, doing });
  }

  /** Every later call fails with the first failure. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#failure) throw this.#failure;
    try {
      return await work();
    } catch (error) {
      if (this.#failure) throw this.#failure;
      if (error instanceof SessionError) void this.close(error);
      throw error;
    }
  }

  async #close(reason: SessionError | undefined): Promise<void> {
    if (!reason) await this.#sending;
    this.#failure = reason ?? sessionError("closed", { peer: this.peer });
    // A peer that left or stopped first needs no abort frame.
    if (reason && reason.reason !== "peerLeft" && reason.reason !== "peerAborted") {
      const body = encodeAbort(reason);
      this.#port.write("abort", body);
      count(this.sent, "abort", body.length);
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([
      this.#port.end().catch(() => {}),
      new Promise((resolve) => {
        timer = setTimeout(resolve, closeTimeoutMs);
      }),
    ]);
    clearTimeout(timer);
    this.#port.destroy(this.#failure);
  }
}
