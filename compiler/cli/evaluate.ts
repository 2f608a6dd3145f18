import { loadManifest, loadPartyBuild, partyFolder, withPartyNames } from "../build/index.ts";
import { readTokenizer, type TextTokenizer } from "../inputs/index.ts";
import { errorBound } from "../report/cost/index.ts";
import { costLine, timeLine } from "../report/text/index.ts";
import {
  dequantizeOutput,
  type Evaluation,
  type EvaluationPrompt,
  evaluate,
  loadPlain,
  openClientExecutor,
  openLocal,
  openOnnxSession,
  readEvaluationPrompts,
  roundTimes,
  securityFields,
  textInputOf,
  tokenFeeds,
} from "../run/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { readCount, readLink } from "./option-values.ts";

export const evaluateCommand: CommandSpec = {
  name: "evaluate",
  summary: "measure what the secure path keeps of the model's answers, every party on this machine",
  arguments: [{ name: "build-dir", help: "what marillc compile wrote, with the model's tokenizer files" }],
  options: [
    { flags: "--prompts <file.jsonl>", help: 'lines {"prompt": …, "answer": …}', required: true },
    { flags: "--reference <model.onnx>", help: "the tuned model in plaintext, for ONNX Runtime", required: true },
    { flags: "--limit <n>", help: "the first so many prompts (default: all)" },
    { flags: "--link <link>", help: "shape the links: lan, wan, or <Mbit/s>x<round-trip ms>" },
    { flags: "--in-process", help: "all parties in one thread, for debugging" },
    jsonOption,
  ],
  examples: [
    "marillc evaluate build/date --prompts fixtures/date-llama/heldout.jsonl --reference fixtures/date-llama/merged-ts17.onnx --limit 2",
  ],
  run: evaluateBuild,
};

async function evaluateBuild(call: Invocation): Promise<CommandResult> {
  const { args, options } = call;
  const dir = args[0]!;
  const link = readLink(options);
  const questions = readEvaluationPrompts(
    options.text("prompts")!,
    readCount(options, "limit", Number.MAX_SAFE_INTEGER),
  );
  const manifest = loadManifest(dir);
  const tokens = readTokenizer(partyFolder(dir, "client"));
  const reference = await openOnnxSession(options.text("reference")!);
  call.warn("all three parties run on this machine: fine as a test, no protection as a deployment");
  const session = await openLocal({ dir, inProcess: options.flag("inProcess"), ...(link && { link }) });
  const result = await evaluate(questions, {
    manifest,
    tokenizer: tokens,
    reference: reference.run,
    secure: async (inputs) => (await session.query(inputs)).outputs,
    onDone: (done, of) => call.progress(`${done} of ${of} prompts`),
  }).catch(async (error) => {
    await session.abandon();
    throw error;
  });
  const { predicted, measured, framingBytes, seconds, peakMegabytes, queries } = await session.end();
  await reference.release();
  const bound = await errorBoundFor(dir, tokens, questions[0]!);
  const cost = withPartyNames(manifest.setting, {
    ...measured,
    framingBytes,
    seconds: roundTimes(seconds),
    peakMegabytes,
  });
  const json = {
    schema: 1,
    ...result,
    errorBound: bound,
    ...securityFields(manifest),
    queries,
    predicted: withPartyNames(manifest.setting, predicted),
    measured: cost,
  };
  const text = `${summary(result, bound)}\n${costLine(cost, queries)}\n${timeLine(cost)}\n`;
  return { json, text, ...(result.largestError > bound && { exit: 1 as const }) };
}

/** The bound at one input: it depends on magnitudes, which hardly differ between inputs. */
async function errorBoundFor(dir: string, tokens: TextTokenizer, { prompt }: EvaluationPrompt): Promise<number> {
  const client = await loadPartyBuild(dir, "client");
  const { module, weights } = await loadPlain(dir);
  const part = await openClientExecutor(client);
  const { shared } = await part.prepare(
    tokenFeeds(textInputOf(client.manifest), tokens.encode(prompt), tokens.padToken),
  );
  await part.release();
  const inputs = Object.entries(shared).map(
    ([id, integers]) => [id, dequantizeOutput(integers, client.program.inputs[id]!.scale)] as const,
  );
  return errorBound(module, weights, new Map(inputs));
}

function summary(result: Evaluation, bound: number): string {
  const { prompts, nextTokens, agreeing, sameAnswers, exactMatch, largestError } = result;
  const percent = ((100 * agreeing) / nextTokens).toFixed(2);
  return [
    `next tokens as ONNX Runtime chooses them: ${agreeing} of ${nextTokens} (${percent} %)`,
    `whole greedy answers equal:               ${sameAnswers} of ${prompts}`,
    `exact match with the expected answers:    ${exactMatch.secure} % secure, ${exactMatch.reference} % in plaintext`,
    `largest error of a logit:                 ${largestError.toPrecision(3)}, bound from scales and depth ${bound.toPrecision(3)}`,
  ].join("\n");
}
