import {
  chosenAdapter,
  loadManifest,
  loadPartyBuild,
  type Manifest,
  partyFolder,
  partyLabels,
  thirdPartyName,
} from "../build/index.ts";
import { readTokenizer, type TextTokenizer } from "../inputs/index.ts";
import { placementText, type TokenCost } from "../report/text/index.ts";
import {
  addClamped,
  type ClampedValues,
  clampedField,
  generate as decode,
  type Forward,
  type GeneratedText,
  type MeasuredRun,
  openLocal,
  type RunResult,
  roundTimes,
  securityFields,
  textInputOf,
  tokenFeeds,
  unlessAborted,
} from "../run/index.ts";
import { openRemoteSession, type RemoteSession } from "../services/index.ts";
import { usage } from "./errors.ts";
import { anyText, callback, checkOptions, type Fields, flag, integer, objectOf, required, text } from "./fields.ts";
import { type ClampOption, clampFields, warnClamped } from "./inputs.ts";
import { identityOf } from "./party-identity.ts";
import { checkRanges, type LocalRunOptions, localRunFields, onOneMachine, refuseOrWarn } from "./run.ts";
import { type RemoteOptions, remoteFields } from "./services.ts";
import { countOf, endpointOf, given, type LinkOption, linkOf } from "./values.ts";

/** One generated token. */
export interface GeneratedToken {
  /** The text that it adds. */
  readonly text: string;
  /** The cost of its query. */
  readonly cost: TokenCost;
}

export interface GenerateOptions extends LocalRunOptions, ClampOption {
  /** The build directory, with tokenizer files. With `remote`, the client's folder is enough. */
  readonly build: string;
  /** Text to continue. */
  readonly prompt: string;
  /** Maximum number of new tokens. Default: 32. */
  readonly maxTokens?: number;
  /** Cache opened keys and values between tokens, if the build supports it. Default: true. */
  readonly cache?: boolean;
  /** Connect to a server as its client. Default: all parties on this machine. */
  readonly remote?: RemoteOptions;
  /** Called with each token as soon as it is known. */
  readonly onToken?: (token: GeneratedToken) => void;
}

const generateFields: Fields<GenerateOptions> = {
  ...localRunFields,
  ...clampFields,
  build: required(text),
  prompt: required(anyText),
  maxTokens: integer(1),
  cache: flag,
  remote: objectOf(remoteFields),
  onToken: callback,
};

/** Output of `generate --json`. */
export interface GenerateResult
  extends GeneratedText,
    Pick<RunResult, "clamped" | "setting" | "security" | "truncation" | "queries"> {
  readonly schema: 1;
  readonly prompt: string;
  /** The cost of each query, in order. */
  readonly perToken: readonly TokenCost[];
  readonly predicted: NonNullable<RunResult["predicted"]>;
  readonly measured: MeasuredRun;
}

export const defaultTokens = 32;

/**
 * Generates text greedily: the most likely token each time. Every token is one query.
 *
 * @example
 * ```ts
 * const { text, measured } = await generate({
 *   build: "build",
 *   prompt: "date 3rd of March, 1987=",
 *   onToken: ({ text, cost }) => console.log(text, cost.rounds, "rounds"),
 * });
 * ```
 * @throws DiagnosticError if the build is not a language model or the prompt is too long
 * @throws SessionError if a party fails
 */
export async function generate(options: GenerateOptions): Promise<GenerateResult> {
  checkOptions("generate", generateFields, options);
  const { build, prompt, cache = true, guard = true, remote, signal, onToken } = options;
  const maxTokens = countOf(options.maxTokens, "max-tokens", defaultTokens);
  const folder = partyFolder(build, "client");
  const manifest = loadManifest(folder);
  const tokens = readTokenizer(folder);
  const start = tokens.encode(prompt).length;
  const useCache = cache && manifest.decode !== undefined;
  if (remote && options.adapter !== undefined)
    usage("the adapter is the server's choice: marillc serve --adapter <name>");
  signal?.throwIfAborted();
  const session = await (remote ? openThere(options, remote) : openHere(options, useCache));
  const labels = partyLabels(manifest.setting);
  const costs: TokenCost[] = [];
  let moved: ClampedValues = {};
  const forward: Forward = async (inputs, position) => {
    const { outputs, measured, seconds, trusted, clamped } = await session.query(inputs, position);
    if (!trusted) refuseOrWarn(manifest, guard, options.onWarning);
    moved = addClamped(moved, clamped);
    const place = position ? position.position - (position.program === 1 ? 0 : 1) : costs.length + start - 1;
    costs.push({ place, ...measured, bytes: labels.bytes(measured.bytes), seconds: roundTimes(seconds) });
    return outputs;
  };
  const onText = (text: string): void => onToken?.({ text, cost: costs.at(-1)! });
  const made = await unlessAborted(signal, session.abandon, () =>
    decode(manifest, tokens, forward, { prompt, maxTokens, useCache, onText }).catch(async (error: unknown) => {
      await session.abandon(error);
      throw error;
    }),
  );
  const { predicted, measured, queries } = await session.end();
  warnClamped(moved, options.onWarning);
  if (!remote && guard) await checkText(options, tokens, [...tokens.encode(prompt), ...made.tokens]);
  return {
    schema: 1,
    prompt,
    ...made,
    ...clampedField(moved),
    ...securityFields(manifest),
    queries,
    perToken: costs,
    predicted: { ...predicted, bytes: labels.bytes(predicted.bytes) },
    measured: {
      ...measured,
      bytes: labels.bytes(measured.bytes),
      peakMegabytes: labels.perRole(measured.peakMegabytes),
    },
  };
}

/**
 * The whole text once, over the full context: a causal model has the same values at a position however far the text
 * goes on.
 * @throws DiagnosticError if a value leaves its public bounds
 */
async function checkText(
  { build, clamp = false, adapter, onWarning }: GenerateOptions,
  { padToken }: TextTokenizer,
  text: readonly number[],
): Promise<void> {
  const feeds = tokenFeeds(textInputOf(loadManifest(partyFolder(build, "client"))), text, padToken);
  await checkRanges(build, feeds, { clamp, adapter, onWarning });
}

async function openHere(
  { build, link, inProcess = false, clamp = false, adapter, onWarning }: GenerateOptions,
  useCache: boolean,
): Promise<RemoteSession> {
  const shaped = link === undefined ? undefined : linkOf(link);
  onWarning?.(onOneMachine);
  const session = await openLocal({
    dir: build,
    inProcess,
    useCache,
    clamp,
    ...given({ adapter: chosenAdapter(build, adapter), link: shaped }),
  });
  return {
    ...session,
    query: async (inputs, position) => {
      const { residues: _, ...answer } = await session.query(inputs, position);
      return answer;
    },
    end: async () => {
      const { predicted, measured, framingBytes, seconds, peakMegabytes, queries } = await session.end();
      const times = roundTimes(seconds);
      return { predicted, measured: { ...measured, framingBytes, seconds: times, peakMegabytes }, queries };
    },
  };
}

async function openThere(
  {
    build,
    link,
    inProcess,
    clamp = false,
  }: Pick<GenerateOptions, "build" | "inProcess" | "clamp"> & { readonly link?: LinkOption },
  remote: RemoteOptions,
): Promise<RemoteSession> {
  if (link !== undefined || inProcess)
    return usage("--link and --in-process apply to parties on this machine, not to --server");
  const [server, dealer] = [endpointOf(remote.server, "server"), endpointOf(remote.dealer, "dealer")];
  const identity = await identityOf(remote, "client");
  const part = await loadPartyBuild(build, "client");
  const waiting = given({ patienceSeconds: remote.patience, onBusy: remote.onWarning });
  return await openRemoteSession({ part, identity, server, dealer, clamp, ...waiting });
}

/** Where each party ran, and the security assumption, as text. */
export function whereItRan(manifest: Manifest, remote: boolean): string {
  const helper = thirdPartyName(manifest.setting);
  const { setting, security } = securityFields(manifest);
  const where = remote
    ? `client on this machine; server and ${helper} elsewhere`
    : `client, server and ${helper} on this machine`;
  return `${placementText(manifest)}\n${where}; ${setting}: ${security}`;
}
