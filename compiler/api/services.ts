import type { Diagnostic } from "../../ir/diagnostic.ts";
import { isRecordName } from "../../runtime/session/index.ts";
import { chosenAdapter, loadManifest, loadPartyBuild, type Manifest, partyFolder } from "../build/index.ts";
import { outputsJson, type RunResult } from "../run/index.ts";
import { queryServer, startDealer, startServer } from "../services/index.ts";
import { usage } from "./errors.ts";
import { address, callback, checkOptions, type Fields, flag, integer, required, signal, text } from "./fields.ts";
import { type InputOptions, inputFields, inputsOf, prepareOutput, saveOutputs, warnClamped } from "./inputs.ts";
import { keepAnswer, writingProblems } from "./keep-answer.ts";
import { identityOf, type PartyOptions, partyFields } from "./party-identity.ts";
import { refuseOrWarn } from "./run.ts";
import { runService, type Service, type ServiceCore, type ServiceOptions, serviceFields } from "./running-service.ts";
import { inputFailure, openServerInputs, type ServerInputOptions, serverInputFields } from "./server-inputs.ts";
import { prepareServedOutput, type ServedAnswer, writeServedOutputs } from "./server-outputs.ts";
import { limitsIn, type ProgramBounds, programFields, programLimitsIn } from "./service-limits.ts";
import {
  awaitedFolders,
  ownShares,
  prepareShares,
  type ShareOption,
  separateShares,
  serverShares,
  writeShares,
} from "./shares.ts";
import { type Address, endpointOf, given } from "./values.ts";

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
  const dealer = endpointOf(at, "dealer");
  const adapter = chosenAdapter(build, options.adapter);
  prepareServedOutput(options.output);
  const manifest = loadManifest(partyFolder(build, "server"));
  const folder = options.shares;
  prepareShares(manifest, folder);
  const { rest, files } = separateShares(manifest, options, true);
  const shares = serverShares(manifest, files);
  for (const line of awaitedFolders(files)) options.onWarning?.(line);
  const inputs = openServerInputs(manifest, rest);
  return await runService(options, "server", (core) =>
    startServer({
      ...core,
      ...given({ adapter }),
      dir: build,
      dealer,
      inputs,
      limits: limitsIn(options),
      clamp: options.clamp ?? false,
      shares,
      reasonOf: inputFailure,
      onAnswer: ({ shares: _, ...query }, outputs, residues) => {
        const report = unsaved(core, query.session.slice(0, 8));
        const kept = folder === undefined ? [] : [{ party: "server" as const, folder, residues }];
        let written: Pick<ServedAnswer, "shares" | "unsaved"> = {};
        try {
          if (kept.length > 0) written = { shares: writeShares(manifest, query, kept, report) };
          if (options.output !== undefined && outputs.size > 0) writeServedOutputs(options.output, query, outputs);
        } catch (error) {
          // The query is answered, and its client has no part in our disk: the answer goes to `onAnswer` all the same.
          for (const problem of writingProblems(error)) report(problem);
          written = { ...written, unsaved: true };
        }
        options.onAnswer?.({ ...query, outputs: outputsJson(outputs), ...written });
      },
    }),
  );
}

/** Logs an answer that a disk did not take. */
const unsaved =
  ({ log, onEvent }: ServiceCore, session: string) =>
  ({ code, message, at = "" }: Diagnostic): void => {
    const about = { event: "unsaved", level: "error", code, session } as const;
    onEvent(about);
    log(`session ${session}: ${code} ${message} ${at}`.trimEnd(), about);
  };

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
  const bounds = { limits: limitsIn(options), ...programLimitsIn(options) };
  return await runService(options, "dealer", (core) => startDealer({ ...core, ...bounds }));
}

/** The other parties, as a client reaches them. */
export interface RemoteOptions extends PartyOptions {
  /** Address of the server. */
  readonly server: Address;
  /** Address of the dealer. */
  readonly dealer: Address;
  /** Seconds to wait for parties that are busy or not reached, and to ask them again. Default: 300. */
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
  if (!manifest.guard) options.onWarning?.(unguardedBuild);
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

/** What nobody can see from the answer, said before it. */
const unguardedBuild =
  "this build has no guard: an answer whose values left their ranges is shown like any other, where `run` would refuse it; a build of `marillc compile --guard` tells the client";

function recordOf(record: string | undefined, { serverCuts }: Manifest): string | undefined {
  if (record === undefined) return undefined;
  if (!serverCuts) usage("--record names an input of the server, and this program takes none");
  if (isRecordName(record)) return record;
  return usage(`--record takes 1 to 64 letters, digits, dashes, dots and underscores, found "${record}"`);
}
