import type { Role, SessionError } from "../core/index.ts";
import type { LinkProfile } from "./link-profile.ts";

/** Frame on the wire: 4 bytes length of the body (little-endian), 1 byte kind (its index here), body. */
export const frameKinds = ["payload", "control", "abort", "wait"] as const;
export type FrameKind = (typeof frameKinds)[number];
export const headerBytes = 5;
/** The length field has 32 bits. */
export const maxFrameBytes = 2 ** 32 - 1;
export const defaultIdleTimeoutMs = 120_000;
/** How long a party that is asked to wait does so, in one query. */
export const defaultMostWaitMs = 3_600_000;
/**
 * The slowest link that a party waits for: 1 Mbit/s, 8 s. A payload that arrives more slowly is refused, whatever the
 * pauses between its bytes are.
 */
export const slowestLink: LinkProfile = { name: "slowest", mbitPerSecond: 1, roundTripMs: 8_000 };

/** Payload bytes equal the cost model's prediction. Headers and whole control frames count as framing. */
export interface ChannelTraffic {
  /** Payload frames. */
  readonly messages: number;
  readonly payloadBytes: number;
  readonly framingBytes: number;
}

/** The frame that the program expects next: any other is refused on its header, before anything is allocated. */
export type ExpectedFrame = ({ readonly exactBytes: number } | { readonly maxBytes: number }) & {
  /** Default: payload. */
  readonly kind?: "payload" | "control";
  /**
   * Default: the channel's idle timeout. A payload's deadline moves on while bytes arrive at the speed of the slowest
   * link, a control frame's does not.
   */
  readonly timeoutMs?: number;
  /** Added to the timeout: what the counted work may take at other parties. */
  readonly extraMs?: number;
  /** The whole frame has to arrive within this time, however it comes. */
  readonly withinMs?: number;
};

/**
 * Reliable ordered frames between two parties. Any failure is a SessionError and final: the channel sends its peer the
 * code, closes, and every later call fails with the same error.
 */
export interface Channel {
  /** The role at the other end; over TLS, the one that its pinned certificate gives. */
  readonly peer: Role;
  /**
   * Waits while earlier frames fill the buffers, queues this one, and returns without waiting for it to leave: two
   * parties that each send one frame and then receive never block each other, whatever the size. The caller must not
   * write to the frame afterwards. Default kind: payload. A `wait` frame is empty: it asks the peer for patience, says
   * nothing else, and no `receive` returns it.
   */
  send(frame: Uint8Array, kind?: "payload" | "control" | "wait"): Promise<void>;
  /** Receives one frame. The caller owns it, and it starts at offset 0 of its buffer. */
  receive(expected: ExpectedFrame): Promise<Uint8Array>;
  /** Resolves once the peer has left or this end is closed, also while nobody receives. */
  readonly left: Promise<void>;
  /** Time for which the peer has asked this party to wait, in ms; live. Absent: it cannot. */
  readonly waitedMs?: number;
  /** The link that this channel emulates, if it does. */
  readonly link?: LinkProfile;
  /** Sends what is queued and ends. With a reason the peer receives its code. */
  close(reason?: SessionError): Promise<void>;
  /** Live counters. */
  readonly sent: ChannelTraffic;
  readonly received: ChannelTraffic;
}

export interface ChannelOptions {
  readonly idleTimeoutMs?: number;
  /** How much longer a receive may take because the peer asks to wait, in ms. Default 0: the peer may not ask. */
  readonly mostWaitMs?: number;
  /** Called each time that the peer asks this party to wait while it receives. */
  readonly onWait?: () => void;
}

/** Header of a frame as the peer announced it; the kind is a number until it is checked. */
export interface FrameHeader {
  readonly kind: number;
  readonly bytes: number;
}

/** What a transport implements; FramedChannel handles lengths, kinds, deadlines and counters. */
export interface FramePort {
  /** Resolves when there is room for another frame; rejects with `peerLeft` once the peer is gone. */
  room(): Promise<void>;
  /** Queues a frame immediately and in order. */
  write(kind: FrameKind, body: Uint8Array): void;
  /** Header of the next frame. Rejects with `peerLeft` once the peer is gone and all its frames are read. */
  head(): Promise<FrameHeader>;
  /** Body of the frame whose header was read last. */
  body(): Promise<Uint8Array>;
  /** Resolves once the peer is gone or the port is destroyed. */
  readonly left: Promise<void>;
  /** Time at which a byte was last read or written (nowMs). */
  readonly readAtMs: number;
  readonly wroteAtMs: number;
  /** Sends what is queued, then ends; resolves when that is done. */
  end(): Promise<void>;
  /** Drops everything; pending calls reject with the error. */
  destroy(error: SessionError): void;
}
