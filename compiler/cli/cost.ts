import { statSync } from "node:fs";
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
import type { DecodeCost } from "../report/cost/index.ts";
import { costText, diffText, optimizationTargetText, phasesText } from "../report/text/index.ts";
import { refuseModelOptions, shapeOptionsOf } from "./architecture-options.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption, type ParsedOptions } from "./command.ts";
import { linkNames, modelOptions, modelOptionsOf, refuseUnsupported } from "./model-options.ts";

export const costCommand: CommandSpec = {
  name: "cost",
  summary: "count rounds and bytes of a compiled model before anything runs",
  arguments: [
    { name: "build-dir | model.onnx", help: "a build, or a model with the options of compile", optional: true },
  ],
  options: [
    ...modelOptions,
    {
      flags: "--link <link>",
      help: "add the time on this link: lan, wan, or <Mbit/s>x<round-trip ms>; a build stays as it was compiled, for a model or a shape protocols are chosen for the first link (default: wan)",
      repeats: true,
      choices: linkNames,
    },
    { flags: "--diff <other>", help: "a build, or a file of cost --json, to compare with" },
    { flags: "--budget <file>", help: "JSON with most rounds and bytes; exit 1 when exceeded" },
    {
      flags: "--shape <name>",
      help: "count a known architecture without weights; --private all, layers, lf0.5, lora64 or lf0.5+lora64",
      choices: architectureNames,
    },
    {
      flags: "--lora <rank>",
      help: "with --shape: the layers that --private names are public, and adapters on each of their products private",
    },
    { flags: "--merge <n>", help: "with --shape: so many heads of the layers that are not frozen share a softmax" },
    {
      flags: "--phase <phase>",
      help: "with --shape: prefill (--dim seq=128, the default) or decode (--dim context=512)",
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
    "marillc cost --shape bert-tiny --dim seq=32 --private all",
    "marillc cost --shape bert-tiny --dim seq=32 --private all --link lan --objective online",
    "marillc cost --shape llama-tiny --dim seq=16 --private lf0.5 --lora 8 --merge 4",
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
  const architecture = options.text("shape");
  const architectureOnly =
    architecture === undefined ? ["lora", "merge"].filter((name) => options.text(name) !== undefined) : [];
  if (architectureOnly.length > 0) usage(`--${architectureOnly.join(" and --")} of cost go with --shape`);
  const report = await costBeside(
    costOptionsOf(path, options),
    architecture === undefined ? [] : refuseModelOptions(path, options),
  );
  const over = report.exceeded ?? [];
  for (const line of over) warn(`over budget: ${line}`);
  return { json: report, text: reportText(report), exit: over.length > 0 ? 1 : 0 };
}

function costOptionsOf(path: string | undefined, options: ParsedOptions): CostOptions {
  const counted: CountOptions = given({
    links: options.list("link").map(linkOf),
    diff: options.text("diff"),
    budget: options.text("budget"),
  });
  const shape = options.text("shape");
  if (shape !== undefined) return { ...counted, ...shapeOptionsOf(shape, options) };
  if (path === undefined) return nothingToCount();
  return isDirectory(path) ? { ...counted, build: path } : { ...counted, ...modelOptionsOf(path, options) };
}

function reportText(report: CostResult): string {
  const token = report.decode ? decodeCostText(report.decode) : "";
  const counted = `${costText(report)}\n${token}${optimizationTargetText(report.chosenFor, report.setting)}\n`;
  return report.diff ? `${counted}\n${diffText(report.diff)}` : counted;
}

const decodeCostText = ({ places, offline, online }: DecodeCost): string =>
  `a token with kept keys and values, at the last of ${places} places:\n${phasesText({ predicted: { offline, online } })}\n`;
