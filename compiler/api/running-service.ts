import { X509Certificate } from "node:crypto";
import type { Role } from "../../runtime/core/index.ts";
import type { Identity } from "../../runtime/transport/node/index.ts";
import {
  createMetrics,
  type Endpoint,
  type HealthEndpoint,
  type LogFields,
  type ServiceLimits,
  type Service as Started,
  startHealth,
} from "../services/index.ts";
import { address, callback, type Fields, required, signal } from "./fields.ts";
import { identityOf, type PartyOptions, partyFields } from "./party-identity.ts";
import { limitFields } from "./service-limits.ts";
import { type Address, endpointOf } from "./values.ts";

/** Options of a party that listens. */
export interface ServiceOptions extends PartyOptions, Partial<ServiceLimits> {
  /** Address to listen on; port 0 picks a free port, which `Service.port` reports. */
  readonly listen: Address;
  /** Serve `/healthz`, `/readyz` and `/metrics` over HTTP at this address. Default: nowhere. */
  readonly health?: Address;
  /** Called for each ended session and each refused peer with one line, and with the same in fields. */
  readonly onLog?: (line: string, about?: LogFields) => void;
  /** Closes the service. Before the service listens, the call throws the reason of the signal. */
  readonly signal?: AbortSignal;
}

export const serviceFields: Fields<ServiceOptions> = {
  ...partyFields,
  ...limitFields,
  listen: required(address),
  health: address,
  onLog: callback,
  signal,
};

/** A running service. */
export interface Service {
  readonly host: string;
  readonly port: number;
  /** Where it answers `/healthz`, `/readyz` and `/metrics`. */
  readonly health?: { readonly host: string; readonly port: number };
  /**
   * Reads the identity folder again: new connections see the new key and pins, and connections of certificates that are
   * not trusted any more end. A folder that cannot be used changes nothing.
   */
  readonly reload: () => Promise<void>;
  /** Takes no new sessions, lets those that run end for at most this time, then closes. */
  readonly drain: (seconds: number) => Promise<void>;
  /** Stops listening and ends running sessions; their peers are notified. */
  readonly close: () => Promise<void>;
  /** Resolves when the service has stopped, by `close`, `drain` or the signal. */
  readonly closed: Promise<void>;
}

/** What a service is started with. */
export interface ServiceCore {
  readonly listen: Endpoint;
  readonly identity: Identity;
  readonly log: (line: string, about?: LogFields) => void;
  readonly onEvent: (about: LogFields) => void;
}

/** Starts a service, and what stands around it: metrics, health, another identity, an end. */
export async function runService(
  options: ServiceOptions,
  role: Role,
  start: (core: ServiceCore) => Promise<Started>,
): Promise<Service> {
  const listen = endpointOf(options.listen, "listen");
  const healthAt = options.health === undefined ? undefined : endpointOf(options.health, "health");
  const identity = await identityOf(options, role);
  const metrics = healthAt && (await createMetrics(role));
  const log = options.onLog ?? (() => {});
  const onEvent = (about: LogFields): void => metrics?.count(about);
  options.signal?.throwIfAborted();
  const started = await start({ listen, identity, log, onEvent });
  const useCertificate = ({ certificate }: Identity): void =>
    metrics?.certificateUntil(new Date(new X509Certificate(certificate).validTo));
  metrics?.watch(started.status);
  useCertificate(identity);
  const health = metrics && (await startHealth(healthAt!, started.status, metrics).catch(closing(started)));
  const reload = async (): Promise<void> => {
    const next = await identityOf(options, role);
    await started.replaceIdentity(next);
    useCertificate(next);
    const line = `reloaded: ${next.peers.length} certificates are trusted`;
    log(line, { event: "reloaded" });
  };
  return withEnd(started, health, reload, options.signal);
}

const closing =
  (started: Started) =>
  async (error: unknown): Promise<never> => {
    await started.close();
    throw error;
  };

/** Whatever ends the service first, ends it. */
function withEnd(
  started: Started,
  health: HealthEndpoint | undefined,
  reload: () => Promise<void>,
  stop: AbortSignal | undefined,
): Service {
  let settle: (ending: Promise<void>) => void = () => {};
  const closed = new Promise<void>((resolve) => {
    settle = resolve;
  });
  let ending: Promise<void> | undefined;
  const end = (work: () => Promise<void>): Promise<void> => {
    ending ??= work().finally(async () => {
      stop?.removeEventListener("abort", close);
      await health?.close();
    });
    settle(ending);
    return ending;
  };
  const close = (): Promise<void> => end(started.close);
  if (stop?.aborted) void close();
  else stop?.addEventListener("abort", close, { once: true });
  const { host, port } = started;
  return {
    ...{ host, port, reload, close, closed },
    drain: (seconds) => end(() => started.drain(seconds)),
    ...(health && { health: { host: health.host, port: health.port } }),
  };
}
