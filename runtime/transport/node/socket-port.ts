import type { Duplex } from "node:stream";
import { type SessionError, sessionError } from "../../core/index.ts";
import { type FrameHeader, type FrameKind, type FramePort, frameKinds, headerBytes, nowMs } from "../index.ts";

/** A sender waits while this much is queued; arrived bytes beyond the second bound stay in the kernel. */
const writeHighWaterBytes = 2 ** 24;
const readHighWaterBytes = 2 ** 20;
/** The stream receives a frame in pieces, so that its encrypted copy never doubles the memory. */
const pieceBytes = 2 ** 20;
/** Up to this size header and body share one TLS record. */
const joinedBytes = 2 ** 14;
/**
 * After our end we read on and discard: closing with unread input would reset the connection and lose our last frame.
 */
const lingerMs = 1_000;

interface PendingRead {
  readonly target: Uint8Array;
  filled: number;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: SessionError) => void;
}

/** Frames over a byte stream. */
export class SocketPort implements FramePort {
  readAtMs = nowMs();
  wroteAtMs = nowMs();
  /** The peer's name in messages; its role once the certificate is verified. */
  peer: string;
  readonly #socket: Duplex;
  readonly #at: string;
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #read: PendingRead | undefined;
  #bodyBytes = 0;
  #discarding = false;
  #broken: SessionError | undefined;
  #outgoing: Uint8Array[] = [];
  #outgoingBytes = 0;
  #pumping = false;
  #changed: (() => void)[] = [];
  #announceEnd!: () => void;
  readonly left = new Promise<void>((resolve) => {
    this.#announceEnd = resolve;
  });

  constructor(socket: Duplex, peer: string, at: string) {
    this.#socket = socket;
    this.peer = peer;
    this.#at = at;
    socket.on("data", (chunk: Uint8Array) => this.#arrive(chunk));
    socket.on("end", () => this.#left("the connection"));
    socket.on("close", () => this.#left("the connection"));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#left(`the connection (${error.code ?? error.name})`));
  }

  async room(): Promise<void> {
    while (this.#outgoingBytes >= writeHighWaterBytes && !this.#broken) await this.#change();
    if (this.#broken) throw this.#broken;
  }

  write(kind: FrameKind, body: Uint8Array): void {
    if (this.#broken) return;
    const joined = body.length <= joinedBytes;
    const first = new Uint8Array(headerBytes + (joined ? body.length : 0));
    new DataView(first.buffer).setUint32(0, body.length, true);
    first[4] = frameKinds.indexOf(kind);
    if (joined) first.set(body, headerBytes);
    this.#outgoing.push(first);
    for (let start = 0; !joined && start < body.length; start += pieceBytes) {
      this.#outgoing.push(body.subarray(start, start + pieceBytes));
    }
    this.#outgoingBytes += headerBytes + body.length;
    if (!this.#pumping) this.#pump();
  }

  async head(): Promise<FrameHeader> {
    const header = await this.#take(headerBytes);
    this.#bodyBytes = new DataView(header.buffer).getUint32(0, true);
    return { kind: header[4]!, bytes: this.#bodyBytes };
  }

  async body(): Promise<Uint8Array> {
    const body = await this.#take(this.#bodyBytes);
    this.#bodyBytes = 0;
    return body;
  }

  async end(): Promise<void> {
    while (this.#outgoingBytes > 0 && !this.#broken) await this.#change();
    if (this.#socket.destroyed) return;
    this.#discarding = true;
    this.#chunks = [];
    this.#socket.resume();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, lingerMs);
      this.#socket.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
      this.#socket.end();
    });
  }

  destroy(error: SessionError): void {
    this.#broken ??= error;
    this.#socket.destroy();
    this.#stop(error);
  }

  #take(bytes: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#read = { target: new Uint8Array(bytes), filled: 0, resolve, reject };
      this.#fill();
      if (this.#read && this.#broken) this.#stop(this.#broken);
    });
  }

  #arrive(chunk: Uint8Array): void {
    this.readAtMs = nowMs();
    if (this.#discarding) return;
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    this.#fill();
    if (this.#chunkBytes >= readHighWaterBytes) this.#socket.pause();
  }

  /** Moves arrived bytes to their waiting reader. */
  #fill(): void {
    const read = this.#read;
    if (!read) return;
    while (read.filled < read.target.length && this.#chunks.length > 0) {
      const [chunk] = this.#chunks as [Uint8Array];
      const piece = chunk.subarray(0, read.target.length - read.filled);
      read.target.set(piece, read.filled);
      read.filled += piece.length;
      this.#chunkBytes -= piece.length;
      if (piece.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(piece.length);
    }
    if (this.#chunkBytes < readHighWaterBytes && this.#socket.isPaused()) this.#socket.resume();
    if (read.filled < read.target.length) return;
    this.#read = undefined;
    read.resolve(read.target);
  }

  #pump(): void {
    const piece = this.#outgoing.shift();
    this.#pumping = piece !== undefined && !this.#broken;
    if (!piece || !this.#pumping) return;
    if (!this.#socket.writable) this.#left("the connection");
    else this.#writePiece(piece);
  }

  #writePiece(piece: Uint8Array): void {
    this.#socket.write(piece, () => {
      this.wroteAtMs = nowMs();
      this.#outgoingBytes -= piece.length;
      this.#announce();
      this.#pump();
    });
  }

  #left(what: string): void {
    const midFrame = this.#bodyBytes > 0 || this.#chunkBytes > 0 || (this.#read?.filled ?? 0) > 0;
    const where = `${what}${midFrame ? " in the middle of a frame" : ""}`;
    this.#broken ??= sessionError("peerLeft", { peer: this.peer, where }, { at: this.#at });
    this.#stop(this.#broken);
  }

  #stop(error: SessionError): void {
    this.#announceEnd();
    this.#read?.reject(error);
    this.#read = undefined;
    this.#announce();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed.push(resolve);
    });
  }

  #announce(): void {
    const waiting = this.#changed;
    this.#changed = [];
    for (const resolve of waiting) resolve();
  }
}
