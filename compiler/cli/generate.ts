import { loadManifest, loadPartyBuild, partyFolder, thirdPartyName, withPartyNames } from "../build/index.ts";
import { readTokenizer } from "../inputs/index.ts";
import { costLine, placementText, type TokenCost, timeLine, tokenLine } from "../report/text/index.ts";
import { type Forward, generate, type MeasuredRun, openLocal, roundTimes, securityFields } from "../run/index.ts";
import { openRemoteSession, type RemoteSession } from "../services/index.ts";
import { type CommandResult, type CommandSpec, failUsage, type Invocation, jsonOption } from "./command.ts";
import { loadIdentity } from "./network-options.ts";
import { readAddress, readCount, readLink } from "./option-values.ts";

const defaultMaxTokens = 32;

export const generateCommand: CommandSpec = {
  name: "generate",
  summary: "continue a text with a compiled language model: every party on this machine, or as the client of a server",
  arguments: [{ name: "build-dir", help: "what marillc compile wrote, with the model's tokenizer files" }],
  options: [
    { flags: "--prompt <text>", help: "the text to continue", required: true },
    { flags: "--max-tokens <n>", help: `at most so many tokens (default: ${defaultMaxTokens})` },
    { flags: "--no-cache", help: "run the whole window for every token, and keep nothing between tokens" },
    { flags: "--server <host:port>", help: "be the client of this server; with --dealer and --identity, as query" },
    { flags: "--dealer <host:port>", help: "with --server: where the dealer listens" },
    { flags: "--identity <dir>", help: "with --server: the client's folder of marillc keys init" },
    { flags: "--link <link>", help: "shape the links: lan, wan, or <Mbit/s>x<round-trip ms>" },
    { flags: "--in-process", help: "all parties in one thread, for debugging" },
    jsonOption,
  ],
  examples: ['marillc generate build/date --prompt "date 4/4/21 (m/d/y)=" --max-tokens 2'],
  run: generateText,
};

/** A session wherever the others are. */
interface GenerationSession extends Omit<RemoteSession, "end"> {
  readonly end: () => Promise<{
    readonly predicted: Awaited<ReturnType<RemoteSession["end"]>>["predicted"];
    readonly measured: Omit<MeasuredRun, "bytes"> & { readonly bytes: Readonly<Record<string, number>> };
    readonly queries: number;
  }>;
  /** Who computes where. */
  readonly where: string;
}

async function openLocalSession(
  { args, options, warn }: Invocation,
  useCache: boolean,
  helper: string,
): Promise<GenerationSession> {
  const link = readLink(options);
  warn("all three parties run on this machine: fine as a test, no protection as a deployment");
  const dir = args[0]!;
  const session = await openLocal({ dir, inProcess: options.flag("inProcess"), useCache, ...(link && { link }) });
  return {
    ...session,
    end: async () => {
      const { predicted, measured, framingBytes, seconds, peakMegabytes, queries } = await session.end();
      const times = roundTimes(seconds);
      return { predicted, measured: { ...measured, framingBytes, seconds: times, peakMegabytes }, queries };
    },
    where: `client, server and ${helper} on this machine`,
  };
}

async function openServerSession(call: Invocation, helper: string): Promise<GenerationSession> {
  const { args, options } = call;
  if (options.text("dealer") === undefined || options.text("identity") === undefined)
    return failUsage("--server is given together with --dealer and --identity");
  if (options.text("link") !== undefined || options.flag("inProcess"))
    return failUsage("--link and --in-process are for parties on this machine, not with --server");
  const [server, dealer] = [readAddress(options, "server"), readAddress(options, "dealer")];
  const identity = await loadIdentity(call, "client");
  const part = await loadPartyBuild(args[0]!, "client");
  const session = await openRemoteSession({ part, identity, server, dealer });
  return { ...session, where: `client on this machine; server and ${helper} elsewhere` };
}

async function generateText(call: Invocation): Promise<CommandResult> {
  const { args, options, json, io } = call;
  const maxTokens = readCount(options, "maxTokens", defaultMaxTokens);
  const folder = partyFolder(args[0]!, "client");
  const manifest = loadManifest(folder);
  const tokens = readTokenizer(folder);
  const prompt = options.text("prompt")!;
  const start = tokens.encode(prompt).length;
  const useCache = options.flag("cache") && manifest.decode !== undefined;
  const helper = thirdPartyName(manifest.setting);
  const session = await (options.text("server") === undefined
    ? openLocalSession(call, useCache, helper)
    : openServerSession(call, helper));
  const costs: TokenCost[] = [];
  const forward: Forward = async (inputs, position) => {
    const { outputs, measured, seconds } = await session.query(inputs, position);
    const tokenPosition = position ? position.position - (position.program === 1 ? 0 : 1) : costs.length + start - 1;
    costs.push(withPartyNames(manifest.setting, { place: tokenPosition, ...measured, seconds: roundTimes(seconds) }));
    return outputs;
  };
  /** A token, and behind it what it cost. */
  const onText = (piece: string): void => {
    io.out(piece);
    io.err(`  ${tokenLine(costs.at(-1)!)}\n`);
  };
  const asking = { prompt, maxTokens, keep: useCache, ...(json ? {} : { onText }) };
  const made = await generate(manifest, tokens, forward, asking).catch(async (error) => {
    await session.abandon(error);
    throw error;
  });
  const { predicted, measured, queries } = await session.end();
  const cost = withPartyNames(manifest.setting, measured);
  const statement = securityFields(manifest);
  const where = `${session.where}; ${statement.setting}: ${statement.security}`;
  return {
    json: {
      schema: 1,
      prompt,
      ...made,
      ...statement,
      queries,
      perToken: costs,
      predicted: withPartyNames(manifest.setting, predicted),
      measured: cost,
    },
    text: `\n\n${placementText(manifest)}\n${where}\n${costLine(cost, queries)}\n${timeLine(cost)}\n`,
  };
}
