import { whereText } from "../report/build-summary.ts";
import { dealerName, named } from "../report/names.ts";
import { costLine, type TokenCost, timeLine, tokenLine } from "../report/run-text.ts";
import { loadManifest, partyFolder } from "../run/build-parts.ts";
import { type Forward, generate } from "../run/generate.ts";
import { openLocal } from "../run/local.ts";
import { roundTimes, statementOf } from "../run/result.ts";
import { readTokenizer } from "../tokenizer.ts";
import { type Call, type CommandSpec, jsonOption, type Outcome } from "./command.ts";
import { countOf, linkOf } from "./values.ts";

const defaultTokens = 32;

export const generateCommand: CommandSpec = {
  name: "generate",
  summary: "continue a text with a compiled language model, every party on this machine",
  arguments: [{ name: "build-dir", help: "what marillc compile wrote, with the model's tokenizer files" }],
  options: [
    { flags: "--prompt <text>", help: "the text to continue", required: true },
    { flags: "--max-tokens <n>", help: `at most so many tokens (default: ${defaultTokens})` },
    { flags: "--link <link>", help: "shape the links: lan, wan, or <Mbit/s>x<round-trip ms>" },
    { flags: "--no-cache", help: "run the whole window for every token, and keep nothing between tokens" },
    { flags: "--in-process", help: "all parties in one thread, for debugging" },
    jsonOption,
  ],
  examples: ['marillc generate build/date --prompt "date 4/4/21 (m/d/y)=" --max-tokens 2'],
  run: continueText,
};

async function continueText(call: Call): Promise<Outcome> {
  const { args, options, json, io } = call;
  const dir = args[0]!;
  const link = linkOf(options);
  const maxTokens = countOf(options, "maxTokens", defaultTokens);
  const manifest = loadManifest(dir);
  const tokens = readTokenizer(partyFolder(dir, "client"));
  const prompt = options.text("prompt")!;
  const start = tokens.encode(prompt).length;
  call.warn("all three parties run on this machine: fine as a test, no protection as a deployment");
  const keep = options.flag("cache") && manifest.decode !== undefined;
  const session = await openLocal({ dir, inProcess: options.flag("inProcess"), keep, ...(link && { link }) });
  const costs: TokenCost[] = [];
  const forward: Forward = async (inputs, asked) => {
    const { outputs, measured, seconds } = await session.query(inputs, asked);
    const place = asked ? asked.place - (asked.program === 0 ? 1 : 0) : costs.length + start - 1;
    costs.push(named(manifest.setting, { place, ...measured, seconds: roundTimes(seconds) }));
    return outputs;
  };
  /** A token, and behind it what it cost. */
  const onText = (piece: string): void => {
    io.out(piece);
    io.err(`  ${tokenLine(costs.at(-1)!)}\n`);
  };
  const made = await generate(manifest, tokens, forward, {
    prompt,
    maxTokens,
    keep,
    ...(json ? {} : { onText }),
  }).catch(async (error) => {
    await session.abandon();
    throw error;
  });
  const { predicted, measured, framingBytes, seconds, peakMegabytes, queries } = await session.end();
  const cost = named(manifest.setting, { ...measured, framingBytes, seconds: roundTimes(seconds), peakMegabytes });
  const statement = statementOf(manifest);
  const where = `client, server and ${dealerName(statement.setting)} on this machine; ${statement.setting}: ${statement.security}`;
  return {
    json: {
      schema: 1,
      prompt,
      ...made,
      ...statement,
      queries,
      perToken: costs,
      predicted: named(manifest.setting, predicted),
      measured: cost,
    },
    text: `\n\n${whereText(manifest)}\n${where}\n${costLine(cost, queries)}\n${timeLine(cost)}\n`,
  };
}
