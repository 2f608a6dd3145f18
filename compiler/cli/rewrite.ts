import { given, rewrite, usage } from "../api/index.ts";
import {
  type Grouping,
  groupings,
  type HeadOptions,
  type LoraOptions,
  type MergeScale,
  mergeScales,
  studentText,
} from "../student/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption, type ParsedOptions } from "./command.ts";
import { readCount, readDims } from "./option-values.ts";
import { nameBeforeNumber } from "./repeated-options.ts";

export const rewriteCommand: CommandSpec = {
  name: "rewrite",
  summary: "make a student of a public model that is cheaper under MPC, ready for fine-tuning",
  arguments: [{ name: "model.onnx", help: "the public model" }],
  options: [
    {
      flags: "-o, --output <student.onnx>",
      help: "student model to write; its manifest goes beside it",
      required: true,
    },
    {
      flags: "--freeze <fraction>",
      help: "fraction of the layers, counted from the first, that stay public (default: 0)",
    },
    { flags: "--lora-rank <n>", help: "train low-rank adapters beside the linear layers instead of the full matrices" },
    { flags: "--lora-alpha <number>", help: "LoRA alpha; the adapter is scaled by alpha / rank (default: 2 × rank)" },
    {
      flags: "--lora-targets <names>",
      help: "module name suffixes to adapt, as q_proj,v_proj (default: all linear layers)",
    },
    { flags: "--lora-freeze-a", help: "keep A public and fixed, train only B (LoRA-FA)" },
    { flags: "--merge-heads <n>", help: "merge every 2 or 4 attention heads into one of their joint depth" },
    {
      flags: "--grouping <method>",
      help: `how heads are grouped for merging: ${groupings.join(" or ")} (default: adjacent)`,
      choices: groupings,
    },
    {
      flags: "--merge-scale <scale>",
      help: `scale of merged scores: ${Object.keys(mergeScales).join(", ")} (1/(m√D), 1/√(mD), 1/√D), or a number (default: mean)`,
    },
    { flags: "--prune-heads <n>", help: "keep one of every 2 or 4 attention heads: the baseline for merging" },
    {
      flags: "--dim <name=size>",
      help: "size of a symbolic dimension; the student keeps it symbolic",
      repeats: true,
      subject: nameBeforeNumber,
    },
    jsonOption,
  ],
  examples: [
    "marillc rewrite fixtures/date-llama/base-ts17.onnx --freeze 0.5 --lora-rank 8 --merge-heads 2 -o build/student.onnx",
  ],
  run: rewriteModel,
};

async function rewriteModel({ args, options, progress, warn }: Invocation): Promise<CommandResult> {
  const model = args[0]!;
  const asked = { freeze: readFreeze(options), heads: readHeadOptions(options), lora: readLoraOptions(options) };
  progress(`rewriting ${model}`);
  const result = await rewrite({
    model,
    output: options.text("output")!,
    dims: readDims(options, 1),
    ...given(asked),
    onWarning: warn,
  });
  return { json: result, text: studentText(result.manifest, result.files.model) };
}

function readFreeze(options: ParsedOptions): number {
  const text = options.text("freeze") ?? "0";
  const fraction = Number(text);
  return text.trim() !== "" && fraction >= 0 && fraction <= 1
    ? fraction
    : usage(`--freeze takes a fraction from 0 to 1, found "${text}"`);
}

function readHeadOptions(options: ParsedOptions): HeadOptions | undefined {
  const [merge, prune] = [options.text("mergeHeads"), options.text("pruneHeads")];
  const only = [["grouping", "grouping"] as const, ["mergeScale", "merge-scale"] as const].filter(
    ([name]) => options.text(name) !== undefined,
  );
  if (merge !== undefined && prune !== undefined) usage("give --merge-heads or --prune-heads, not both");
  if (merge === undefined && only.length > 0) usage(`--${only[0]![1]} needs --merge-heads`);
  const given = merge ?? prune;
  if (given === undefined) return undefined;
  const what = merge === undefined ? "prune" : "merge";
  if (given !== "2" && given !== "4") usage(`--${what}-heads takes 2 or 4, found "${given}"`);
  const size = given === "2" ? 2 : 4;
  const grouping = options.text("grouping") as Grouping | undefined;
  if (grouping !== undefined && !groupings.includes(grouping)) {
    usage(`--grouping takes ${groupings.join(" or ")}, found "${grouping}"`);
  }
  const scale = readMergeScale(options);
  return { what, size, ...(grouping && { grouping }), ...(scale !== undefined && { scale }) };
}

function readMergeScale(options: ParsedOptions): MergeScale | number | undefined {
  const text = options.text("mergeScale");
  if (text === undefined || Object.hasOwn(mergeScales, text)) return text as MergeScale | undefined;
  const scale = Number(text);
  const names = Object.keys(mergeScales).join(", ");
  return scale > 0 && Number.isFinite(scale)
    ? scale
    : usage(`--merge-scale takes ${names} or a number above 0, found "${text}"`);
}

function readLoraOptions(options: ParsedOptions): LoraOptions | undefined {
  const rest = [["loraAlpha", "lora-alpha"] as const, ["loraTargets", "lora-targets"] as const].find(
    ([name]) => options.text(name) !== undefined,
  );
  const freezeA = options.flag("loraFreezeA");
  if (options.text("loraRank") === undefined) {
    if (rest !== undefined || freezeA) usage(`--${rest?.[1] ?? "lora-freeze-a"} needs --lora-rank`);
    return undefined;
  }
  const rank = readCount(options, "loraRank")!;
  const alphaText = options.text("loraAlpha");
  const alpha = alphaText === undefined ? 2 * rank : Number(alphaText);
  if (!(alpha > 0 && Number.isFinite(alpha))) usage(`--lora-alpha takes a number above 0, found "${alphaText}"`);
  const targets = options
    .text("loraTargets")
    ?.split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  return { rank, alpha, freezeA, ...(targets && { targets }) };
}
