import {
  defaultTokens,
  type GeneratedToken,
  type GenerateOptions,
  generate,
  given,
  usage,
  whereItRan,
} from "../api/index.ts";
import { loadManifest, partyFolder } from "../build/index.ts";
import { costLine, timeLine, tokenLine } from "../report/text/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { patienceOption, readPatience } from "./network-options.ts";
import { readCount, readLink } from "./option-values.ts";
import { adapterOption, clampOption, noGuardOption, shapedLinkOption } from "./run.ts";

export const generateCommand: CommandSpec = {
  name: "generate",
  summary: "generate text with a compiled language model, locally or as the client of a server",
  arguments: [{ name: "build-dir", help: "a build directory with tokenizer files" }],
  options: [
    { flags: "--prompt <text>", help: "text to continue", required: true, mayBeEmpty: true },
    { flags: "--max-tokens <n>", help: `maximum number of new tokens (default: ${defaultTokens})` },
    { flags: "--no-cache", help: "recompute the full context for every token instead of caching keys and values" },
    { flags: "--server <host:port>", help: "connect to this server as its client; needs --dealer and --identity" },
    { flags: "--dealer <host:port>", help: "with --server: address of the dealer" },
    { flags: "--identity <dir>", help: "with --server: the client's identity folder, made by marillc keys init" },
    patienceOption,
    clampOption,
    adapterOption,
    shapedLinkOption,
    { flags: "--in-process", help: "run all parties in one thread, for debugging" },
    noGuardOption,
    jsonOption,
  ],
  examples: ['marillc generate build/date --prompt "date 4/4/21 (m/d/y)=" --max-tokens 2'],
  run: generateText,
};

async function generateText(call: Invocation): Promise<CommandResult> {
  const { args, options } = call;
  return await printText(call, {
    build: args[0]!,
    prompt: options.text("prompt")!,
    cache: options.flag("cache"),
    clamp: options.flag("clamp"),
    guard: options.flag("guard"),
    inProcess: options.flag("inProcess"),
    ...given({
      maxTokens: readCount(options, "maxTokens"),
      link: readLink(options),
      remote: remoteOf(call),
      adapter: options.text("adapter"),
    }),
    onWarning: call.warn,
  });
}

/** Prints each token with its cost as soon as it is known, then the text, then where each party ran. */
export async function printText({ json, io, progress }: Invocation, options: GenerateOptions): Promise<CommandResult> {
  const onToken = ({ text, cost }: GeneratedToken): void => {
    io.out(text);
    io.err(`  ${tokenLine(cost)}\n`);
  };
  const result = await generate({ ...options, ...(json ? {} : { onToken }) });
  const { prompt, text, measured, queries } = result;
  // On a terminal the costs stand between the tokens: the text once more, whole, beside them on stderr.
  if (!json) progress(`\n${prompt}${text}`);
  const where = whereItRan(loadManifest(partyFolder(options.build, "client")), options.remote !== undefined);
  return { json: result, text: `\n\n${where}\n${costLine(measured, queries)}\n${timeLine(measured)}\n` };
}

function remoteOf({ options, warn }: Invocation): GenerateOptions["remote"] {
  const patience = readPatience({ options });
  const [server, dealer, identity] = [options.text("server"), options.text("dealer"), options.text("identity")];
  if (server === undefined) {
    if (dealer !== undefined || identity !== undefined) usage("--dealer and --identity need --server");
    if (patience !== undefined) usage("--patience needs --server");
    return undefined;
  }
  if (dealer === undefined || identity === undefined) return usage("--server needs --dealer and --identity");
  return { server, dealer, identity, ...given({ patience }), onWarning: warn };
}
