import { type EvaluateResult, evaluate, given } from "../api/index.ts";
import { costLine, timeLine } from "../report/text/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { readCount, readLink } from "./option-values.ts";
import { adapterOption, clampOption, noGuardOption, shapedLinkOption } from "./run.ts";

export const evaluateCommand: CommandSpec = {
  name: "evaluate",
  summary: "compare the secure model's answers with the plaintext model, all parties on this machine",
  arguments: [{ name: "build-dir", help: "a build directory with tokenizer files" }],
  options: [
    { flags: "--prompts <file.jsonl>", help: 'JSON lines {"prompt": …, "answer": …}', required: true },
    { flags: "--reference <model.onnx>", help: "fine-tuned model in plaintext, run by ONNX Runtime", required: true },
    { flags: "--limit <n>", help: "evaluate only the first n prompts (default: all)" },
    clampOption,
    adapterOption,
    shapedLinkOption,
    { flags: "--in-process", help: "run all parties in one thread, for debugging" },
    noGuardOption,
    jsonOption,
  ],
  examples: [
    "marillc evaluate build/date --prompts fixtures/date-llama/heldout.jsonl --reference fixtures/date-llama/merged-ts17.onnx --limit 2",
  ],
  run: evaluateBuild,
};

async function evaluateBuild({ args, options, warn, progress }: Invocation): Promise<CommandResult> {
  const result = await evaluate({
    build: args[0]!,
    prompts: options.text("prompts")!,
    reference: options.text("reference")!,
    clamp: options.flag("clamp"),
    guard: options.flag("guard"),
    inProcess: options.flag("inProcess"),
    ...given({ limit: readCount(options, "limit"), link: readLink(options), adapter: options.text("adapter") }),
    onWarning: warn,
    onProgress: progress,
  });
  const { measured, queries, largestError, errorBound, untrusted } = result;
  const text = `${summary(result)}\n${costLine(measured, queries)}\n${timeLine(measured)}\n`;
  return { json: result, text, ...((untrusted || largestError > errorBound) && { exit: 1 as const }) };
}

function summary(result: EvaluateResult): string {
  const { prompts, nextTokens, agreeing, sameAnswers, exactMatch, largestError, errorBound: bound, untrusted } = result;
  const percent = ((100 * agreeing) / nextTokens).toFixed(2);
  return [
    `next tokens as ONNX Runtime chooses them: ${agreeing} of ${nextTokens} (${percent} %)`,
    `whole greedy answers equal:               ${sameAnswers} of ${prompts}`,
    `exact match with the expected answers:    ${exactMatch.secure} % secure, ${exactMatch.reference} % in plaintext`,
    `largest error of a logit:                 ${largestError.toPrecision(3)}, bound from scales and depth ${bound.toPrecision(3)}`,
    ...(untrusted
      ? [
          `answers that cannot be trusted:           ${untrusted.queries}: values leave their bounds, first in ${untrusted.layers[0]}`,
        ]
      : []),
  ].join("\n");
}
