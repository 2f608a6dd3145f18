import type { Role } from "../../runtime/core/index.ts";
import { SessionError, sessionError } from "../../runtime/core/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import type { Hello, Identity } from "../../runtime/transport/node/index.ts";
import { listen } from "../../runtime/transport/node/index.ts";
import { answerProbes } from "./link-probe.ts";
import { connectionPurposes, isSessionId } from "./session-agreement.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Service extends Endpoint {
  /** Stops listening and ends what is running. */
  readonly close: () => Promise<void>;
}

export interface ServiceOptions {
  readonly listen: Endpoint;
  readonly identity: Identity;
  /** One line per event: for a log. */
  readonly log: (line: string) => void;
}

/** A session id as logs show it. */
export const shortSessionId = (session: string): string => session.slice(0, 8);

/** One line; a fault of ours says so. */
export const failureLogLine = (error: unknown): string =>
  error instanceof SessionError
    ? `${error.code} ${error.message}`
    : `MRL0700 ${error instanceof Error ? error.message.split("\n")[0] : String(error)} — this is a fault of marillc`;

/** Listens, answers probes, hands sessions to `onSession`, and outlives everything that goes wrong in one of them. */
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
