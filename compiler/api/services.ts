import { type Diagnostic, fail, formatDiagnostic } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import { isRecordName } from "../../runtime/session/index.ts";
import type { Identity } from "../../runtime/transport/node/index.ts";
import { chosenAdapter, loadManifest, loadPartyBuild, type Manifest, partyFolder } from "../build/index.ts";
import { readIdentity } from "../keys/index.ts";
import { outputsJson, type RunResult } from "../run/index.ts";
import {
  queryServer,
  type ServiceLimits,
  type Service as Started,
  startDealer,
  startServer,
} from "../services/index.ts";
import { usage } from "./errors.ts";
import { address, callback, checkOptions, type Fields, flag, integer, required, signal, text } from "./fields.ts";
import { type InputOptions, inputFields, inputsOf, prepareOutput, saveOutputs, warnClamped } from "./inputs.ts";
import { keepAnswer, writingProblems } from "./keep-answer.ts";
import { refuseOrWarn } from "./run.ts";
import { inputFailure, openServerInputs, type ServerInputOptions, serverInputFields } from "./server-inputs.ts";
import { prepareServedOutput, type ServedAnswer, writeServedOutputs } from "./server-outputs.ts";
import { limitFields, limitsIn, type ProgramBounds, programFields, programLimitsIn } from "./service-limits.ts";
import { ownShares, prepareShares, type ShareOption, separateShares, serverShares, writeShares } from "./shares.ts";
import { type Address, endpointOf, given } from "./values.ts";

/** Options of every party of a deployment. */
export interface PartyOptions {
  /** This party's identity folder, made by `createKeys` or `marillc keys init`: its key, its certificate and its peers. */
  readonly identity: string;
  /** Called with each warning, one line: for example, that others can read the key file. */
  readonly onWarning?: (line: string) => void;
}

/** Options of a party that listens. */
export interface ServiceOptions extends PartyOptions, Partial<ServiceLimits> {
  /** Address to listen on; port 0 picks a free port, which `Service.port` reports. */
  readonly listen: Address;
  /** Called with one line for each ended session and each refused peer. */
  readonly onLog?: (line: string) => void;
  /** Closes the service. Before the service listens, the call throws the reason of the signal. */
  readonly signal?: AbortSignal;
}

const partyFields: Fields<PartyOptions> = { identity: required(text), onWarning: callback };
const serviceFields: Fields<ServiceOptions> = {
  ...partyFields,
  ...limitFields,
  listen: required(address),
  onLog: callback,
  signal,
};

/** A running service. */
export interface Service {
  readonly host: string;
  readonly port: number;
  /** Stops listening and ends running sessions; their peers are notified. */
  readonly close: () => Promise<void>;
  /** Resolves when the service has stopped, by `close` or by the signal. */
  readonly closed: Promise<void>;
}

export interface ServeOptions extends ServiceOptions, ServerInputOptions, ShareOption {
  /** The server's folder of a build, or the build directory. */
  readonly build: string;
  /** Address of the dealer. */
  readonly dealer: Address;
  /** The adapter that the server uses, of a build with several. Nobody else learns which. */
  readonly adapter?: string;
  /** Called with what each query opened to the server. */
  readonly onAnswer?: (answer: ServedAnswer) => void;
  /**
   * Write the outputs revealed to the server: to a folder, a file for each query; or to an .npz file, which then has
   * those of the latest.
   */
  readonly output?: string;
}

const serveFields: Fields<ServeOptions> = {
  ...serviceFields,
  ...serverInputFields,
  build: required(text),
  dealer: required(address),
  adapter: text,
  onAnswer: callback,
  output: text,
  shares: text,
};

/**
 * Starts the server: it answers clients with private weights, one session per connection, over mutual TLS 1.3. A failed
 * session does not stop it.
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
export async function serve(all: ServeOptions): Promise<Service> {
  checkOptions("serve", serveFields, all);
  const { build, dealer: at, ...options } = all;
  const [listen, dealer] = [endpointOf(options.listen, "listen"), endpointOf(at, "dealer")];
  const identity = await identityOf(options, "server");
  const adapter = chosenAdapter(build, options.adapter);
  prepareServedOutput(options.output);
  const manifest = loadManifest(partyFolder(build, "server"));
  const folder = options.shares;
  prepareShares(manifest, folder);
  const { rest, files } = separateShares(manifest, options, true);
  const shares = serverShares(manifest, files);
  const inputs = openServerInputs(manifest, rest);
  options.signal?.throwIfAborted();
  const service = await startServer({
    dir: build,
    ...given({ adapter }),
    listen,
    dealer,
    identity,
    log: logOf(options),
    inputs,
    limits: limitsIn(options),
    clamp: options.clamp ?? false,
    shares,
    reasonOf: inputFailure,
    onAnswer: ({ shares: _, ...query }, outputs, residues) => {
      const kept = folder === undefined ? [] : [{ party: "server" as const, folder, residues }];
      const report = ({ code, message, at = "" }: Diagnostic): void =>
        logOf(options)(`session ${query.session.slice(0, 8)}: ${code} ${message} ${at}`.trimEnd());
      let written: Pick<ServedAnswer, "shares"> = {};
      try {
        if (kept.length > 0) written = { shares: writeShares(manifest, query, kept, report) };
        if (options.output !== undefined && outputs.size > 0) writeServedOutputs(options.output, query, outputs);
      } catch (error) {
        // The query is answered, and its client has no part in our disk: the answer goes to `onAnswer` all the same.
        for (const problem of writingProblems(error)) report(problem);
      }
      options.onAnswer?.({ ...query, outputs: outputsJson(outputs), ...written });
    },
  });
  return serviceOf(service, options.signal);
}

export interface DealOptions extends ServiceOptions, ProgramBounds {}

const dealFields: Fields<DealOptions> = { ...serviceFields, ...programFields };

/**
 * Starts the dealer: it matches the client and the server of each session and sends them correlated randomness. It sees
 * neither inputs nor weights, and stores nothing between sessions.
 *
 * @example
 * ```ts
 * const dealer = await deal({ listen: "0.0.0.0:7001", identity: "keys/dealer" });
 * ```
 */
export async function deal(options: DealOptions): Promise<Service> {
  checkOptions("deal", dealFields, options);
  const listen = endpointOf(options.listen, "listen");
  const identity = await identityOf(options, "dealer");
  options.signal?.throwIfAborted();
  const bounds = { limits: limitsIn(options), ...programLimitsIn(options) };
  return serviceOf(await startDealer({ listen, identity, log: logOf(options), ...bounds }), options.signal);
}

/** The other parties, as a client reaches them. */
export interface RemoteOptions extends PartyOptions {
  /** Address of the server. */
  readonly server: Address;
  /** Address of the dealer. */
  readonly dealer: Address;
  /** Seconds to wait for parties that are busy, and to ask them again. Default: 300. */
  readonly patience?: number;
}

export const remoteFields: Fields<RemoteOptions> = {
  ...partyFields,
  patience: integer(0),
  server: required(address),
  dealer: required(address),
};

export interface QueryOptions extends RemoteOptions, InputOptions, ShareOption {
  /** The client's folder of a build, or the build directory. */
  readonly build: string;
  /** The name under which the server has its own input for this query. The server sees it, the dealer does not. */
  readonly record?: string;
  /** Refuse an answer that the guard of the build, if it has one, does not trust. Default: true. */
  readonly guard?: boolean;
  /** Write the outputs to this .npz file. */
  readonly output?: string;
  /** Ends the session and notifies the other parties; the call throws the reason of the signal. */
  readonly signal?: AbortSignal;
}

const queryFields: Fields<QueryOptions> = {
  ...remoteFields,
  ...inputFields,
  build: required(text),
  record: text,
  guard: flag,
  output: text,
  shares: text,
  signal,
};

/**
 * Sends one query to a server, as its client. `measured` covers the links of this party only.
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
 * @throws DiagnosticError for an invalid input, before it connects to any party
 * @throws SessionError if a party fails
 * @throws UnsavedError if the answer came and could not be written; it has the answer
 */
export async function query(options: QueryOptions): Promise<RunResult> {
  checkOptions("query", queryFields, options);
  const [server, dealer] = [endpointOf(options.server, "server"), endpointOf(options.dealer, "dealer")];
  const identity = await identityOf(options, "client");
  const part = await loadPartyBuild(options.build, "client");
  const { manifest } = part;
  const { rest, files } = separateShares(manifest, options);
  const shares = ownShares(manifest, files, "client");
  const inputs = inputsOf(manifest, rest);
  prepareShares(manifest, options.shares);
  prepareOutput(options.output, options.onWarning);
  const { signal, clamp = false, guard = true } = options;
  const record = recordOf(options.record, part.manifest);
  const { patience: patienceSeconds, onWarning: onBusy } = options;
  const taken = manifest.sharedInputs ? { shares } : {};
  const query = {
    ...{ part, inputs, identity, server, dealer, clamp, ...taken },
    ...given({ signal, record, patienceSeconds, onBusy }),
  };
  const { outputs, residues, made, result } = await queryServer(query);
  if (result.trusted === false) refuseOrWarn(part.manifest, guard, options.onWarning);
  warnClamped(result.clamped ?? {}, options.onWarning);
  const { output, shares: folder } = options;
  return keepAnswer(
    result,
    (report) => {
      if (folder === undefined) return {};
      const kept = [{ party: "client" as const, folder, residues }];
      return { shares: writeShares(manifest, { ...made, ...given({ record }) }, kept, report) };
    },
    () => saveOutputs(output, outputs),
  );
}

function recordOf(record: string | undefined, { serverCuts }: Manifest): string | undefined {
  if (record === undefined) return undefined;
  if (!serverCuts) usage("--record names an input of the server, and this program takes none");
  if (isRecordName(record)) return record;
  return usage(`--record takes 1 to 64 letters, digits, dashes, dots and underscores, found "${record}"`);
}

/** @throws DiagnosticError MRL0738 for the identity of another role */
export async function identityOf({ identity: dir, onWarning }: PartyOptions, role: Role): Promise<Identity> {
  const identity = await readIdentity(dir, (diagnostic) =>
    onWarning?.(formatDiagnostic(diagnostic).replace(/^error/, "warning")),
  );
  if (identity.role !== role) {
    fail({
      code: "MRL0738",
      message: `expected the identity of the ${role}, found that of the ${identity.role}`,
      at: dir,
      help: `name the ${role}'s folder of \`marillc keys init <dir>\`: --identity <dir>/${role}`,
    });
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
