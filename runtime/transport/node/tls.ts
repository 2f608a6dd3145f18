/**
 * Mutual TLS 1.3 over TCP between parties that have exchanged certificates before. Chains and names are not checked.
 * After the TLS handshake, in which each side proves to hold its key, the certificate itself must be a pinned one
 * (peerOf). No byte of the peer is parsed before that.
 */
import { constants } from "node:crypto";
import type { AddressInfo, Socket } from "node:net";
import * as tls from "node:tls";
import { type Role, SessionError, sessionError } from "../../core/index.ts";
import { type Channel, type ChannelOptions, FramedChannel, nowMs } from "../index.ts";
import { greet, type Hello, receiveHello } from "./greeting.ts";
import { checkOwnCertificate, fingerprintOf, type Identity, type PeerPin, peerOf, pinOf } from "./identity.ts";
import { SocketPort } from "./socket-port.ts";
import { Ungreeted } from "./ungreeted.ts";

const defaultHandshakeTimeoutMs = 10_000;
const defaultMaxConnections = 4096;
const retryMs = 200;

interface EndpointOptions extends ChannelOptions {
  readonly host: string;
  readonly port: number;
  readonly identity: Identity;
  /** Limit for everything up to the greeting, in ms; default 10 s. */
  readonly handshakeTimeoutMs?: number;
}

export interface ListenOptions extends EndpointOptions {
  /** Roles that may connect; default: all roles with a known certificate. */
  readonly accepts?: readonly Role[];
  /** Bounds the descriptors that the listener takes; further connections are dropped. */
  readonly maxConnections?: number;
  /**
   * Connections that have not greeted yet, in all and from one address. Beyond it the oldest of them makes room: an
   * honest peer greets within milliseconds, so it is seldom the oldest.
   */
  readonly maxUngreeted?: number;
  readonly maxUngreetedPerAddress?: number;
  readonly onConnection: (channel: Channel, hello: Hello, peer: PeerAddress) => void | Promise<void>;
  /** Called for each connection that was dropped for want of room, before it greeted. */
  readonly onDropped?: (address: string) => void;
  /** Called when a connection ends before its TLS handshake without anything that could be refused. */
  readonly onLeft?: () => void;
  /** Called when a connection is refused; the listener goes on. */
  readonly onRefused?: (error: SessionError) => void;
  /** Called when `onConnection` failed and its channel was closed. Without it the error is an unhandled rejection. */
  readonly onFailed?: (error: unknown) => void;
}

export interface ConnectOptions extends EndpointOptions, Partial<Hello> {
  readonly expect: Role;
  /** Time in ms to keep trying while nobody listens there: parties start in any order. Default 0. */
  readonly patienceMs?: number;
}

/** Where a peer is, and who it is. */
export interface PeerAddress {
  readonly address: string;
  /** Of its certificate. */
  readonly fingerprint: string;
  readonly pin: PeerPin;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** New connections see another key or other pins; open ones go on. @throws SessionError for an expired certificate */
  replaceIdentity(identity: Identity): void;
  /** Stops listening and drops connections that have not greeted yet; open channels stay open. */
  close(): Promise<void>;
}

const tlsOptions = (identity: Identity): tls.CommonConnectionOptions & tls.SecureContextOptions => ({
  key: identity.key,
  cert: identity.certificate,
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  // Resumption would accept a session without showing the certificate again.
  secureOptions: constants.SSL_OP_NO_TICKET,
  // Pins replace chains; see peerOf.
  rejectUnauthorized: false,
});

/** What the codes of a connection that does not come about mean to its user. */
const meanings: Readonly<Record<string, string>> = {
  ENOTFOUND: "no host has this name",
  EINVAL: "no host can have this name",
  EAI_AGAIN: "the name of the host cannot be looked up now",
  ECONNREFUSED: "nothing listens there",
  EHOSTUNREACH: "no way leads to this host",
  ENETUNREACH: "no way leads to its network",
};
const reasonOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) return message;
  return meanings[code] === undefined ? code : `${meanings[code]} (${code})`;
};

/** Translates a peer's refusal of our certificate into our own error; `peer` is "the server", or an address. */
function explain(error: unknown, identity: Identity, peer: string, at: string): SessionError {
  if (!(error instanceof SessionError))
    return sessionError("insecure", { peer, reason: reasonOf(error), where: at }, { at });
  if (error.peerCode !== "MRL0720" && error.peerCode !== "MRL0721") return error;
  const found = fingerprintOf(identity.certificate);
  return sessionError("ownCertificateRefused", { peer, role: identity.role, found }, { at, peerCode: error.peerCode });
}

function channelOver(
  socket: tls.TLSSocket,
  identity: Identity,
  expected: readonly Role[],
  at: string,
  options: ChannelOptions,
) {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 30_000);
  const port = new SocketPort(socket, expected.join(" or "), at);
  try {
    const { role } = peerOf(identity, socket.getPeerX509Certificate(), expected, at);
    port.peer = role;
    return new FramedChannel(port, role, options);
  } catch (error) {
    // An untrusted peer receives the code and nothing else.
    void new FramedChannel(port, expected[0] ?? identity.role).close(error as SessionError);
    throw error;
  }
}

export async function connect(options: ConnectOptions): Promise<Channel> {
  checkOwnCertificate(options.identity);
  const deadlineMs = nowMs() + (options.patienceMs ?? 0);
  for (;;) {
    try {
      return await connectOnce(options);
    } catch (error) {
      const again = error instanceof SessionError && error.reason === "unreachable" && nowMs() < deadlineMs;
      if (!again) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

async function connectOnce(options: ConnectOptions): Promise<Channel> {
  const { host, port, identity, expect, handshakeTimeoutMs = defaultHandshakeTimeoutMs } = options;
  const at = `${host}:${port}`;
  const socket = await openTls(host, port, identity, expect, handshakeTimeoutMs);
  const channel = channelOver(socket, identity, [expect], at, options);
  try {
    await greet(channel, { purpose: options.purpose ?? "online", session: options.session ?? "" }, handshakeTimeoutMs);
    return channel;
  } catch (error) {
    void channel.close();
    throw error instanceof RangeError ? error : explain(error, identity, `the ${expect}`, at);
  }
}

function openTls(
  host: string,
  port: number,
  identity: Identity,
  peer: Role,
  timeoutMs: number,
): Promise<tls.TLSSocket> {
  const where = `${host}:${port}`;
  return new Promise((resolve, reject) => {
    let reached = false;
    const socket = tls.connect({ ...tlsOptions(identity), host, port, checkServerIdentity: () => undefined });
    const refuse = (reason: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(sessionError(reached ? "insecure" : "unreachable", { peer: `the ${peer}`, reason, where }, { at: where }));
    };
    const onError = (error: Error): void => refuse(reasonOf(error));
    const onClose = (): void => refuse("the connection was closed");
    const timer = setTimeout(() => refuse(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
    socket.on("error", onError);
    socket.on("close", onClose);
    socket.once("connect", () => {
      reached = true;
    });
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      socket.off("error", onError);
      socket.off("close", onClose);
      resolve(socket);
    });
  });
}

export async function listen(options: ListenOptions): Promise<Listener> {
  const { handshakeTimeoutMs = defaultHandshakeTimeoutMs } = options;
  let { identity } = options;
  checkOwnCertificate(identity);
  const server = tls.createServer({ ...tlsOptions(identity), requestCert: true, handshakeTimeout: handshakeTimeoutMs });
  server.maxConnections = options.maxConnections ?? defaultMaxConnections;
  const ungreeted = new Ungreeted(options);
  server.on("connection", (socket: Socket) => ungreeted.add(addressOf(socket), socket));
  server.on("drop", (dropped) => options.onDropped?.(dropped?.remoteAddress ?? "an unknown address"));
  server.on("tlsClientError", (error, socket) => {
    const from = addressOf(socket);
    if (options.onLeft && reasonOf(error) === "ECONNRESET") options.onLeft();
    else
      options.onRefused?.(sessionError("insecure", { peer: from, reason: reasonOf(error), where: from }, { at: from }));
    socket.destroy();
  });
  server.on("secureConnection", (socket) => {
    const from = addressOf(socket);
    const current = { ...options, identity };
    welcome(socket, from, current, handshakeTimeoutMs, () => ungreeted.delete(from)).then(
      ({ channel, hello, peer }) => handOver(channel, hello, peer, options),
      (error) => options.onRefused?.(explain(error, current.identity, from, from)),
    );
  });
  const address = await listenOn(server, options.host, options.port);
  server.on("error", (error) => options.onRefused?.(explain(error, identity, "anyone", address.address)));
  return {
    host: address.address,
    port: address.port,
    replaceIdentity: (next) => {
      checkOwnCertificate(next);
      server.setSecureContext(tlsOptions(next));
      identity = next;
    },
    close: async () => {
      server.close();
      ungreeted.destroy();
    },
  };
}

const addressOf = (socket: Socket): string =>
  socket.remoteAddress ? `${socket.remoteAddress}:${socket.remotePort}` : "a peer that closed the connection";

const rolesOf = ({ peers }: Identity): readonly Role[] => [...new Set(peers.map(({ role }) => role))];

async function welcome(
  socket: tls.TLSSocket,
  from: string,
  options: ListenOptions,
  timeoutMs: number,
  onGreeted: () => void,
): Promise<{ readonly channel: Channel; readonly hello: Hello; readonly peer: PeerAddress }> {
  const accepts = options.accepts ?? rolesOf(options.identity);
  const channel = channelOver(socket, options.identity, accepts, from, options);
  const fingerprint = fingerprintOf(socket.getPeerX509Certificate()!);
  const pin = pinOf(options.identity, fingerprint)!;
  try {
    const hello = await receiveHello(channel, timeoutMs);
    onGreeted();
    return { channel, hello, peer: { address: socket.remoteAddress ?? "", fingerprint, pin } };
  } catch (error) {
    void channel.close();
    throw error;
  }
}

async function handOver(channel: Channel, hello: Hello, peer: PeerAddress, options: ListenOptions): Promise<void> {
  try {
    await options.onConnection(channel, hello, peer);
  } catch (error) {
    void channel.close(error instanceof SessionError ? error : undefined);
    if (!options.onFailed) throw error;
    options.onFailed(error);
  }
}

function listenOn(server: tls.Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      const where = `${host}:${port}`;
      reject(sessionError("cannotListen", { where, reason: reasonOf(error), option: "--listen" }, { at: where }));
    };
    server.once("error", onError);
    server.listen(port, host, () => {
      server.off("error", onError);
      resolve(server.address() as AddressInfo);
    });
  });
}
