import { type Role, SessionError, sessionError } from "../../runtime/core/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { type Hello, type Identity, listen } from "../../runtime/transport/node/index.ts";
import { limitedLog } from "./limited-log.ts";
import { answerProbes } from "./link-probe.ts";
import type { ServiceLimits } from "./service-limits.ts";
import { connectionPurposes, isSessionId } from "./session-agreement.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Service extends Endpoint {
  /** Stops listening, and closes all open connections. */
  readonly close: () => Promise<void>;
}

export interface ServiceOptions {
  readonly listen: Endpoint;
  readonly identity: Identity;
  /** Receives one line per event. */
  readonly log: (line: string) => void;
  readonly limits?: Partial<ServiceLimits>;
}

/** The first digits of a session id, for logs. */
export const shortSessionId = (session: string): string => session.slice(0, 8);

/** The log line of a failure; an unexpected error asks for a report. */
export const failureLogLine = (error: unknown): string =>
  error instanceof SessionError
    ? `${error.code} ${error.message}`
    : `MRL0700 ${error instanceof Error ? error.message.split("\n")[0] : String(error)} — internal error, please report`;

const failureKind = (error: unknown): string => (error instanceof SessionError ? error.code : "MRL0700");

/** A connection that has greeted, for a session. `identity`: the fingerprint of its certificate. */
export interface Arrival {
  readonly channel: Channel;
  readonly session: string;
  readonly identity: string;
}

/** Connections that measure a link at the same time. */
const mostProbes = 8;

/** Listens, answers probes and passes sessions to `onSession`. The failure of one session does not stop the service. */
export async function startService(
  { listen: endpoint, identity, log }: ServiceOptions,
  { maxPerAddress, maxSessions, maxWaiting }: ServiceLimits,
  accepts: readonly Role[],
  purpose: Hello["purpose"],
  onSession: (arrival: Arrival) => Promise<void>,
): Promise<Service> {
  const open = new Set<Channel>();
  const logLimited = limitedLog(log);
  let probes = 0;
  const probe = async (channel: Channel): Promise<void> => {
    if (probes >= mostProbes) {
      const facts = { peer: identity.role, reason: "others measure their links", seconds: 5 };
      throw sessionError("busy", facts, { retryAfterSeconds: 5 });
    }
    probes++;
    await answerProbes(channel).finally(() => probes--);
  };
  const listener = await listen({
    ...endpoint,
    identity,
    accepts,
    maxUngreetedPerAddress: maxPerAddress,
    // Two connections for each session that may be open, and room for those that greet.
    maxConnections: 2 * (maxSessions + maxWaiting) + 2048,
    onRefused: (error) => logLimited(failureKind(error), `refused: ${failureLogLine(error)}`),
    onDropped: (address) => logLimited("dropped", `dropped: a connection from ${address} that did not greet in time`),
    onFailed: (error) => logLimited(failureKind(error), `failed: ${failureLogLine(error)}`),
    onConnection: async (channel, hello, { fingerprint }) => {
      open.add(channel);
      void channel.left.then(() => open.delete(channel));
      if (hello.purpose === connectionPurposes.probe) return await probe(channel);
      if (hello.purpose !== purpose || !isSessionId(hello.session)) {
        throw sessionError("malformed", { peer: channel.peer, what: "greeting" });
      }
      await onSession({ channel, session: hello.session, identity: fingerprint });
    },
  });
  return {
    host: listener.host,
    port: listener.port,
    close: async () => {
      await listener.close();
      await Promise.all([...open].map((channel) => channel.close(sessionError("closed", { peer: channel.peer }))));
    },
  };
}
