import { fail, formatDiagnostic } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import type { Identity } from "../../runtime/transport/node/index.ts";
import { loadPartyBuild } from "../build/index.ts";
import { readIdentity } from "../keys/index.ts";
import type { RunResult } from "../run/index.ts";
import type { Service as Started } from "../services/index.ts";
import { defaultMaxDealtBytes, queryServer, startDealer, startServer } from "../services/index.ts";
import { type InputOptions, inputsOf, saveOutputs } from "./inputs.ts";
import { type Address, countOf, endpointOf } from "./values.ts";

/** What every party of a deployment needs. */
export interface PartyOptions {
  /** This party's folder of `createKeys` or `marillc keys init`: its key, its certificate, and whom it trusts. */
  readonly identity: string;
  /** Hears, in a line, what is worth knowing and no error: a key file that others can read. */
  readonly onWarning?: (line: string) => void;
}

/** A party that listens. */
export interface ServiceOptions extends PartyOptions {
  /** Where to listen; port 0 takes a free one, which the service names. */
  readonly listen: Address;
  /** Hears one line for each event: sessions that ended, and peers that were refused. */
  readonly onLog?: (line: string) => void;
  /** Stops listening and ends what is running. Before the service listens, it makes the call throw its reason. */
  readonly signal?: AbortSignal;
}

/** A service that listens. */
export interface Service {
  readonly host: string;
  /** The port that it took. */
  readonly port: number;
  /** Stops listening, and ends the sessions that are running; they learn that this party left. */
  readonly close: () => Promise<void>;
  /** Fulfilled when it has stopped, by `close` or by the signal. */
  readonly closed: Promise<void>;
}

export interface ServeOptions extends ServiceOptions {
  /** The server's folder of a build, or the build directory around it. */
  readonly build: string;
  /** Where the dealer listens. */
  readonly dealer: Address;
}

/**
 * Starts the server: it answers clients with private weights, one session per connection, over mutual TLS 1.3. It lives
 * on when a session fails.
 *
 * @example
 * ```ts
 * const stop = new AbortController();
 * const server = await serve({
 *   build: "build/server",
 *   listen: "0.0.0.0:7000",
 *   dealer: "dealer.example:7001",
 *   identity: "keys/server",
 *   signal: stop.signal,
 * });
 * process.once("SIGTERM", () => stop.abort());
 * await server.closed;
 * ```
 */
export async function serve({ build, dealer: at, ...options }: ServeOptions): Promise<Service> {
  const [listen, dealer] = [endpointOf(options.listen, "listen"), endpointOf(at, "dealer")];
  const identity = await identityOf(options, "server");
  options.signal?.throwIfAborted();
  return serviceOf(await startServer({ dir: build, listen, dealer, identity, log: logOf(options) }), options.signal);
}

export interface DealOptions extends ServiceOptions {
  /** Refuses programs of which one query takes more bytes of correlations. Default: 4e9. */
  readonly maxBytes?: number;
}

/**
 * Starts the dealer: it brings the parties of each session together and deals correlated randomness for them. It sees
 * neither inputs nor weights, and keeps nothing between sessions.
 *
 * @example
 * ```ts
 * const dealer = await deal({ listen: "0.0.0.0:7001", identity: "keys/dealer" });
 * ```
 */
export async function deal(options: DealOptions): Promise<Service> {
  const listen = endpointOf(options.listen, "listen");
  const maxDealtBytes = countOf(options.maxBytes, "max-bytes", defaultMaxDealtBytes);
  const identity = await identityOf(options, "dealer");
  options.signal?.throwIfAborted();
  return serviceOf(await startDealer({ listen, identity, maxDealtBytes, log: logOf(options) }), options.signal);
}

/** Where the others of a client are. */
export interface RemoteOptions extends PartyOptions {
  /** Where the server listens. */
  readonly server: Address;
  /** Where the dealer listens. */
  readonly dealer: Address;
}

export interface QueryOptions extends RemoteOptions, InputOptions {
  /** The client's folder of a build, or the build directory around it. */
  readonly build: string;
  /** Write the outputs there, as .npz. */
  readonly output?: string;
  /** Leaves the session, tells the others, and makes the call throw its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Asks a server one question, as its client. What was measured are the links that this party sees.
 *
 * @example
 * ```ts
 * const { outputs } = await query({
 *   build: "build/client",
 *   server: "server.example:7000",
 *   dealer: "dealer.example:7001",
 *   identity: "keys/client",
 *   inputs: { input_ids: "ids.npy" },
 * });
 * ```
 * @throws DiagnosticError for an input that does not fit, before anybody is asked; SessionError where a party fails.
 */
export async function query(options: QueryOptions): Promise<RunResult> {
  const [server, dealer] = [endpointOf(options.server, "server"), endpointOf(options.dealer, "dealer")];
  const identity = await identityOf(options, "client");
  const part = await loadPartyBuild(options.build, "client");
  const inputs = inputsOf(part.manifest, options);
  const { signal } = options;
  const { outputs, result } = await queryServer({ part, inputs, identity, server, dealer, ...(signal && { signal }) });
  saveOutputs(options.output, outputs);
  return result;
}

/** Reads an identity, and refuses that of another role. */
export async function identityOf({ identity: dir, onWarning }: PartyOptions, role: Role): Promise<Identity> {
  const identity = await readIdentity(dir, (diagnostic) =>
    onWarning?.(formatDiagnostic(diagnostic).replace(/^error/, "warning")),
  );
  if (identity.role !== role) {
    fail({ code: "MRL0738", message: `this identity is the ${identity.role}'s, and the ${role}'s is needed`, at: dir });
  }
  return identity;
}

const logOf = ({ onLog }: ServiceOptions): ((line: string) => void) => onLog ?? (() => {});

function serviceOf({ host, port, close }: Started, signal: AbortSignal | undefined): Service {
  let settle: (closing: Promise<void>) => void = () => {};
  const closed = new Promise<void>((resolve) => {
    settle = resolve;
  });
  let closing: Promise<void> | undefined;
  const closeOnce = (): Promise<void> => {
    closing ??= close().finally(() => signal?.removeEventListener("abort", closeOnce));
    settle(closing);
    return closing;
  };
  if (signal?.aborted) void closeOnce();
  else signal?.addEventListener("abort", closeOnce, { once: true });
  return { host, port, close: closeOnce, closed };
}
