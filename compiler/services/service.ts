import { type Role, SessionError, sessionError } from "../../runtime/core/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { type Hello, type Identity, listen } from "../../runtime/transport/node/index.ts";
import { answerProbes } from "./link-probe.ts";
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
}

/** The first digits of a session id, for logs. */
export const shortSessionId = (session: string): string => session.slice(0, 8);

/** The log line of a failure; an unexpected error asks for a report. */
export const failureLogLine = (error: unknown): string =>
  error instanceof SessionError
    ? `${error.code} ${error.message}`
    : `MRL0700 ${error instanceof Error ? error.message.split("\n")[0] : String(error)} — internal error, please report`;

/** Listens, answers probes and passes sessions to `onSession`. The failure of one session does not stop the service. */
export async function startService(
  { listen: endpoint, identity, log }: ServiceOptions,
  accepts: readonly Role[],
  purpose: Hello["purpose"],
  onSession: (channel: Channel, session: string) => Promise<void>,
): Promise<Service> {
  const open = new Set<Channel>();
  const listener = await listen({
    ...endpoint,
    identity,
    accepts,
    onRefused: (error) => log(`refused: ${failureLogLine(error)}`),
    onFailed: (error) => log(`failed: ${failureLogLine(error)}`),
    onConnection: async (channel, hello) => {
      open.add(channel);
      try {
        if (hello.purpose === connectionPurposes.probe) return await answerProbes(channel);
        if (hello.purpose !== purpose || !isSessionId(hello.session)) {
          throw sessionError("malformed", { peer: channel.peer, what: "greeting" });
        }
        await onSession(channel, hello.session);
      } finally {
        open.delete(channel);
      }
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
