import type { Manifest } from "../build/index.ts";
import { loadManifest, loadPartyBuild, partyFolder, thirdPartyName, withPartyNames } from "../build/index.ts";
import { readTokenizer } from "../inputs/index.ts";
import type { TokenCost } from "../report/text/index.ts";
import { placementText } from "../report/text/index.ts";
import {
  generate as decode,
  type Forward,
  type GeneratedText,
  type MeasuredRun,
  openLocal,
  type RunResult,
  roundTimes,
  securityFields,
  unlessAborted,
} from "../run/index.ts";
import { openRemoteSession, type RemoteSession } from "../services/index.ts";
import { usage } from "./errors.ts";
import { type LocalRunOptions, onOneMachine } from "./run.ts";
import { identityOf, type RemoteOptions } from "./services.ts";
import { countOf, endpointOf, type LinkOption, linkOf } from "./values.ts";

/** One token as soon as it is known. */
export interface GeneratedToken {
  /** What it adds to the text. */
  readonly text: string;
  /** What the query behind it cost. */
  readonly cost: TokenCost;
}

export interface GenerateOptions extends LocalRunOptions {
  /** The build directory, with the model's tokenizer files; as the client of a server: its folder is enough. */
  readonly build: string;
  /** The text to continue. */
  readonly prompt: string;
  /** At most so many tokens. Default: 32. */
  readonly maxTokens?: number;
  /** Keep what was opened of keys and values between tokens, where the build can. Default: true. */
  readonly cache?: boolean;
  /** Be the client of a server elsewhere. Default: all parties on this machine. */
  readonly remote?: RemoteOptions;
  /** Sees each token as soon as it is known. */
  readonly onToken?: (token: GeneratedToken) => void;
}

/** What `generate --json` prints. */
export interface GenerateResult
  extends GeneratedText,
    Pick<RunResult, "setting" | "security" | "truncation" | "queries"> {
  readonly schema: 1;
  readonly prompt: string;
  /** Of each query, in order. */
  readonly perToken: readonly TokenCost[];
  readonly predicted: NonNullable<RunResult["predicted"]>;
  readonly measured: MeasuredRun;
}

export const defaultTokens = 32;

/**
 * Continues a text, greedily: the likeliest token each time. Every token is a query.
 *
 * @example
 * ```ts
 * const { text, measured } = await generate({
 *   build: "build",
 *   prompt: "date 3rd of March, 1987=",
 *   onToken: ({ text, cost }) => console.log(text, cost.rounds, "rounds"),
 * });
 * ```
 * @throws DiagnosticError where the build is no language model or the prompt does not fit, SessionError where a party fails.
 */
export async function generate(options: GenerateOptions): Promise<GenerateResult> {
  const { build, prompt, cache = true, remote, signal, onToken } = options;
  const maxTokens = countOf(options.maxTokens, "max-tokens", defaultTokens);
  const folder = partyFolder(build, "client");
  const manifest = loadManifest(folder);
  const tokens = readTokenizer(folder);
  const start = tokens.encode(prompt).length;
  const keep = cache && manifest.decode !== undefined;
  signal?.throwIfAborted();
  const session = await (remote ? openThere(options, remote) : openHere(options, keep));
  const costs: TokenCost[] = [];
  const forward: Forward = async (inputs, asked) => {
    const { outputs, measured, seconds } = await session.query(inputs, asked);
    const place = asked ? asked.position - (asked.program === 1 ? 0 : 1) : costs.length + start - 1;
    costs.push(withPartyNames(manifest.setting, { place, ...measured, seconds: roundTimes(seconds) }));
    return outputs;
  };
  const onText = (text: string): void => onToken?.({ text, cost: costs.at(-1)! });
  const made = await unlessAborted(signal, session.abandon, () =>
    decode(manifest, tokens, forward, { prompt, maxTokens, useCache: keep, onText }).catch(async (error: unknown) => {
      await session.abandon(error);
      throw error;
    }),
  );
  const { predicted, measured, queries } = await session.end();
  return {
    schema: 1,
    prompt,
    ...made,
    ...securityFields(manifest),
    queries,
    perToken: costs,
    predicted: withPartyNames(manifest.setting, predicted),
    measured: withPartyNames(manifest.setting, measured as MeasuredRun),
  };
}

/** A session wherever the others are. */
interface Session extends Omit<RemoteSession, "end"> {
  readonly end: () => Promise<{
    readonly predicted: Awaited<ReturnType<RemoteSession["end"]>>["predicted"];
    readonly measured: Omit<MeasuredRun, "bytes"> & { readonly bytes: Readonly<Record<string, number>> };
    readonly queries: number;
  }>;
}

async function openHere(
  { build, link, inProcess = false, onWarning }: GenerateOptions,
  keep: boolean,
): Promise<Session> {
  const shaped = link === undefined ? undefined : linkOf(link);
  onWarning?.(onOneMachine);
  const session = await openLocal({ dir: build, inProcess, useCache: keep, ...(shaped && { link: shaped }) });
  return {
    ...session,
    end: async () => {
      const { predicted, measured, framingBytes, seconds, peakMegabytes, queries } = await session.end();
      const times = roundTimes(seconds);
      return { predicted, measured: { ...measured, framingBytes, seconds: times, peakMegabytes }, queries };
    },
  };
}

async function openThere(
  { build, link, inProcess }: Pick<GenerateOptions, "build" | "inProcess"> & { readonly link?: LinkOption },
  remote: RemoteOptions,
): Promise<Session> {
  if (link !== undefined || inProcess)
    return usage("--link and --in-process are for parties on this machine, not with --server");
  const [server, dealer] = [endpointOf(remote.server, "server"), endpointOf(remote.dealer, "dealer")];
  const identity = await identityOf(remote, "client");
  return await openRemoteSession({ part: await loadPartyBuild(build, "client"), identity, server, dealer });
}

/** What ran where, and under which assumption, for people to read. */
export function whereItRan(manifest: Manifest, remote: boolean): string {
  const helper = thirdPartyName(manifest.setting);
  const { setting, security } = securityFields(manifest);
  const where = remote
    ? `client on this machine; server and ${helper} elsewhere`
    : `client, server and ${helper} on this machine`;
  return `${placementText(manifest)}\n${where}; ${setting}: ${security}`;
}
