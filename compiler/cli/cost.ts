import { statSync } from "node:fs";
import { printableData } from "../../ir/printable.ts";
import {
  type CostOptions,
  type CostResult,
  type CountOptions,
  costBeside,
  given,
  linkOf,
  nothingToCount,
  usage,
} from "../api/index.ts";
import { architectureNames } from "../estimate/index.ts";
import type { DecodeCost, GuardCost } from "../report/cost/index.ts";
import {
  costText,
  decisionsText,
  declaredErrorsText,
  diffText,
  optimizationTargetText,
  phasesText,
  wrapText,
} from "../report/text/index.ts";
import { architectureOptionsOf, refuseModelOptions } from "./architecture-options.ts";
import {
  type CommandResult,
  type CommandSpec,
  flagOfKey,
  type Invocation,
  jsonOption,
  type ParsedOptions,
} from "./command.ts";
import { linkNames, modelOptions, modelOptionsOf, refuseForBuild, refuseUnsupported } from "./model-options.ts";

export const costCommand: CommandSpec = {
  name: "cost",
  summary: "count rounds and bytes before anything runs",
  arguments: [
    { name: "build-dir | model.onnx", help: "a build, or a model with the options of compile", optional: true },
  ],
  options: [
    ...modelOptions,
    {
      flags: "--link <link>",
      help: "add the network time on this link: lan, wan, or <Mbit/s>x<round-trip ms>. For a model or an architecture, protocols are chosen for the first link (default: wan); a build stays as compiled",
      repeats: true,
      choices: linkNames,
    },
    {
      flags: "--diff <build-dir | report.json>",
      help: "compare with another build, or with a saved cost --json report",
    },
    { flags: "--budget <file>", help: "JSON file with the maximum rounds and bytes; exit 1 if exceeded" },
    {
      flags: "--architecture <name>",
      help: "count a known architecture without weights: bert-base, gpt2, llama-7b, …; with --private all, layers, lf0.5, lora64 or lf0.5+lora64",
      choices: architectureNames,
    },
    {
      flags: "--lora-rank <n>",
      help: "with --architecture: private adapters of this rank on every product of the layers that --private selects; the layers themselves become public",
    },
    {
      flags: "--merge-heads <n>",
      help: "with --architecture: this many attention heads share one softmax in layers that are not frozen",
    },
    {
      flags: "--phase <phase>",
      help: "with --architecture: prefill (--dim seq=128, the default) or decode (--dim context=512)",
      choices: ["prefill", "decode"],
    },
    { flags: "--baseline", help: "", hidden: true },
    { flags: "--html <file>", help: "", hidden: true },
    { flags: "--trace <file>", help: "", hidden: true },
    jsonOption,
  ],
  examples: [
    "marillc cost build/date --link lan --link wan",
    "marillc cost build/date --json",
    "marillc cost --architecture bert-tiny --dim seq=32 --private all",
    "marillc cost --architecture bert-tiny --dim seq=32 --private all --link lan --objective online",
    "marillc cost --architecture llama-tiny --dim seq=16 --private lf0.5 --lora-rank 8 --merge-heads 4",
  ],
  run: cost,
};

const unsupported = [
  ["baseline", 'count the model twice, once with --private "*", and compare with --diff'],
  ["html", "use --json"],
  ["trace", "use --json"],
] as const;

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

async function cost({ args, options, warn }: Invocation): Promise<CommandResult> {
  refuseUnsupported(options, unsupported);
  const [path] = args;
  const architecture = options.text("architecture");
  const architectureOnly =
    architecture === undefined ? ["loraRank", "mergeHeads"].filter((name) => options.text(name) !== undefined) : [];
  if (architectureOnly.length > 0)
    usage(`${architectureOnly.map(flagOfKey).join(" and ")} of cost need --architecture`);
  const report = await costBeside(
    costOptionsOf(path, options),
    architecture === undefined ? [] : refuseModelOptions(path, options),
  );
  const over = report.exceeded ?? [];
  for (const line of over) warn(`over budget: ${line}`);
  return { json: report, text: reportText(printableData(report)), exit: over.length > 0 ? 1 : 0 };
}

function costOptionsOf(path: string | undefined, options: ParsedOptions): CostOptions {
  const counted: CountOptions = given({
    links: options.list("link").map(linkOf),
    diff: options.text("diff"),
    budget: options.text("budget"),
  });
  const architecture = options.text("architecture");
  if (architecture !== undefined) return { ...counted, ...architectureOptionsOf(architecture, options) };
  if (path === undefined) return nothingToCount();
  if (!isDirectory(path)) return { ...counted, ...modelOptionsOf(path, options) };
  refuseForBuild(options, modelOptions);
  const needsModel = options.text("phase") !== undefined;
  if (needsModel) usage("--phase needs --architecture: a build reports a token with cached keys and values by itself");
  return { ...counted, build: path };
}

function reportText(report: CostResult): string {
  const token = report.decode ? decodeCostText(report.decode) : "";
  const wrap = report.wrap ? `${wrapText({ wrap: report.wrap })}\n` : "";
  const errors = `${declaredErrorsText(report.errors, report.preset)}${decisionsText(report.decisions)}`;
  const guard = report.guard ? guardCostText(report.guard) : "";
  const counted = `${costText(report)}\n${token}${guard}${wrap}${errors}${optimizationTargetText(report.chosenFor, report.setting)}\n`;
  return report.diff ? `${counted}\n${diffText(report.diff)}` : counted;
}

const guardCostText = ({ elements, layers, headroom, offline, online }: GuardCost): string =>
  `range checks of ${elements} elements in ${layers} layers, contained in these totals (rings are ${headroom} bits wider besides: --diff against a build without --guard):\n${phasesText({ predicted: { offline, online } })}\n`;

const decodeCostText = ({ places, offline, online }: DecodeCost): string =>
  `a token with cached keys and values, at the last of ${places} positions:\n${phasesText({ predicted: { offline, online } })}\n`;
