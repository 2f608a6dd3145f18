import { counted } from "../../ir/counted.ts";
import { isBusy, type Role, SessionError, sessionError } from "../../runtime/core/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import {
  type Hello,
  type Identity,
  type Listener,
  listen,
  type PeerAddress,
  peerText,
  pinOf,
} from "../../runtime/transport/node/index.ts";
import { limitedLog } from "./limited-log.ts";
import { answerProbes } from "./link-probe.ts";
import type { ServiceLimits } from "./service-limits.ts";
import type { LogFields, ServiceLog } from "./service-log.ts";
import { connectionPurposes, isSessionId } from "./session-agreement.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** What a service does now. */
export interface ServiceStatus {
  readonly computing: number;
  readonly waiting: number;
  /** It takes no new sessions. */
  readonly isStopping: boolean;
  /** Why sessions that begin now may fail, in a few words for the operator. */
  readonly obstacle?: string | undefined;
}

export interface Service extends Endpoint {
  readonly status: () => ServiceStatus;
  /**
   * Goes on with another key or other pins: those of new connections. Open connections of certificates that are not
   * pinned any more end.
   */
  readonly replaceIdentity: (identity: Identity) => Promise<void>;
  /** Takes no new sessions, and closes when those that run have ended, or when the time is over. */
  readonly drain: (seconds: number) => Promise<void>;
  /** Stops listening, and closes all open connections. */
  readonly close: () => Promise<void>;
}

export interface ServiceOptions {
  readonly listen: Endpoint;
  readonly identity: Identity;
  /** Receives one line per event; of events that strangers can cause, the first of each kind. */
  readonly log: ServiceLog;
  /** Receives every event. */
  readonly onEvent?: (about: LogFields) => void;
  readonly limits?: Partial<ServiceLimits>;
}

/** Tells an event to the log and to whoever counts. */
export const tell = (
  { log, onEvent }: Pick<ServiceOptions, "log" | "onEvent">,
  line: string,
  about: LogFields,
): void => {
  onEvent?.(about);
  log(line, about);
};

/** The first digits of a session id, for logs. */
export const shortSessionId = (session: string): string => session.slice(0, 8);

export const secondsSince = (startedMs: number): number => Math.round(performance.now() - startedMs) / 1000;

/** The log line of a failure; an unexpected error asks for a report. */
export const failureLogLine = (error: unknown): string =>
  error instanceof SessionError
    ? `${error.code} ${error.message}`
    : `MRL0700 ${error instanceof Error ? error.message.split("\n")[0] : String(error)} — internal error, please report`;

const failureKind = (error: unknown): string => (error instanceof SessionError ? error.code : "MRL0700");

/** A service that is busy, or a peer that leaves, is no reason to wake anybody. */
function failureFields(error: unknown, event: "failed" | "refused", more: Partial<LogFields>): LogFields {
  const level = !(error instanceof SessionError) ? "error" : isBusy(error) ? "info" : "warn";
  return { event, level, code: failureKind(error), ...more };
}

/** A connection that has greeted, for a session. `identity`: the fingerprint of its certificate. */
export interface Arrival {
  readonly channel: Channel;
  readonly session: string;
  readonly identity: string;
  /** Who it is and where, for the log. */
  readonly peer: string;
  readonly address: string;
}

/** The same service, which leaves nothing behind when it ends. */
export const withCleanup = (service: Service, cleanup: () => Promise<void>): Service => ({
  ...service,
  drain: (seconds) => service.drain(seconds).finally(cleanup),
  close: () => service.close().finally(cleanup),
});

/** Connections that measure a link at the same time. */
const mostProbes = 8;
/** A service that stops is back after about this time, or another one is there. */
const stoppingRetrySeconds = 10;
const drainStepMs = 50;

/** What a kind of service does with sessions. */
export interface SessionHost {
  readonly accepts: readonly Role[];
  readonly purpose: Hello["purpose"];
  readonly onSession: (arrival: Arrival) => Promise<void>;
  readonly counts: () => Pick<ServiceStatus, "computing" | "waiting">;
  readonly obstacle?: () => string | undefined;
  /** While it stops: whether a connection belongs to a session that has begun. */
  readonly isExpected?: (channel: Channel, session: string) => boolean;
}

/** Listens, answers probes and passes sessions to `onSession`. The failure of one session does not stop the service. */
export async function startService(
  options: ServiceOptions,
  { maxPerAddress, maxSessions, maxWaiting }: ServiceLimits,
  { accepts, purpose, onSession, counts, obstacle, isExpected = () => false }: SessionHost,
): Promise<Service> {
  const { role } = options.identity;
  const open = new Map<Channel, string>();
  const running = new Set<Promise<void>>();
  const logLimited = limitedLog(options.log);
  const say = (kind: string, line: string, about: LogFields): void => {
    options.onEvent?.(about);
    logLimited(kind, line, about);
  };
  let isStopping = false;
  let probes = 0;
  const busy = (reason: string, seconds: number): SessionError =>
    sessionError("busy", { peer: role, reason, seconds }, { retryAfterSeconds: seconds });
  const probe = async (channel: Channel): Promise<void> => {
    if (probes >= mostProbes) throw busy("others measure their links", 5);
    probes++;
    await answerProbes(channel).finally(() => probes--);
  };
  const host = async (channel: Channel, hello: Hello, peer: PeerAddress): Promise<void> => {
    if (hello.purpose === connectionPurposes.probe) return await probe(channel);
    if (hello.purpose !== purpose || !isSessionId(hello.session)) {
      throw sessionError("malformed", { peer: channel.peer, what: "greeting" });
    }
    if (isStopping && !isExpected(channel, hello.session)) throw busy("it is stopping", stoppingRetrySeconds);
    const { address, fingerprint: identity } = peer;
    await onSession({ channel, session: hello.session, identity, address, peer: peerText(peer.pin) });
  };
  const listener: Listener = await listen({
    ...options.listen,
    identity: options.identity,
    accepts,
    maxUngreetedPerAddress: maxPerAddress,
    // Two connections for each session that may be open, and room for those that greet.
    maxConnections: 2 * (maxSessions + maxWaiting) + 2048,
    onRefused: (error) => {
      const address = error.at ?? "an unknown address";
      const line = `refused: ${failureLogLine(error)}`;
      say(
        failureKind(error),
        line.includes(address) ? line : `${line}; from ${address}`,
        failureFields(error, "refused", { address }),
      );
    },
    onDropped: (address) =>
      say("dropped", `dropped: a connection from ${address} that did not greet in time`, {
        ...{ event: "dropped", level: "warn", address },
      }),
    // Port scans, health checks and `doctor` connect so: it is worth a line to nobody.
    onLeft: () => say("left", "a connection ended before its TLS handshake", { event: "left", level: "debug" }),
    onFailed: () => {},
    onConnection: async (channel, hello, peer) => {
      open.set(channel, peer.fingerprint);
      void channel.left.then(() => open.delete(channel));
      const work = host(channel, hello, peer);
      running.add(work);
      try {
        await work;
      } catch (error) {
        const session = isSessionId(hello.session) ? { session: shortSessionId(hello.session) } : {};
        const about = { peer: peerText(peer.pin), address: peer.address, ...session };
        say(failureKind(error), `failed: ${failureLogLine(error)}`, failureFields(error, "failed", about));
        throw error;
      } finally {
        running.delete(work);
      }
    },
  });
  const end = async (channels: readonly Channel[]): Promise<void> => {
    await Promise.all(channels.map((channel) => channel.close(sessionError("closed", { peer: channel.peer }))));
  };
  const close = async (): Promise<void> => {
    isStopping = true;
    await listener.close();
    await end([...open.keys()]);
  };
  const status = (): ServiceStatus => ({ ...counts(), isStopping, obstacle: obstacle?.() });
  return {
    host: listener.host,
    port: listener.port,
    status,
    replaceIdentity: async (identity) => {
      listener.replaceIdentity(identity);
      await end([...open].flatMap(([channel, fingerprint]) => (pinOf(identity, fingerprint) ? [] : [channel])));
    },
    drain: async (seconds) => {
      isStopping = true;
      const left = (): number => running.size + counts().waiting;
      const untilMs = performance.now() + seconds * 1000;
      tell(options, `stopping: ${counted(left(), "session")} may end within ${seconds} s`, { event: "stopping" });
      while (left() > 0 && performance.now() < untilMs) await new Promise((next) => setTimeout(next, drainStepMs));
      const cut = left();
      await close();
      const line = cut === 0 ? "stopped" : `stopped: ${counted(cut, "session")} did not end in time`;
      tell(options, line, { event: "stopped", level: cut === 0 ? "info" : "warn" });
    },
    close,
  };
}
