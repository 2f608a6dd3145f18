import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import { verify } from "../../ir/verify.ts";
import { type LinkProfile, parseLink } from "../../runtime/transport/index.ts";
import type { OptimizationTarget } from "../build/index.ts";
import { loadManifest } from "../build/index.ts";
import {
  budgetExcess,
  type CostReport,
  costReport,
  type DecodeCost,
  decodeCost,
  readBudget,
} from "../report/cost/index.ts";
import { costDiff, costText, diffText, optimizationTargetText, phasesText } from "../report/text/index.ts";
import { loadMir } from "../run/index.ts";
import { architectureCost } from "./architecture-options.ts";
import {
  type CommandResult,
  type CommandSpec,
  failUsage,
  type Invocation,
  jsonOption,
  type ParsedOptions,
} from "./command.ts";
import { loadCompiler } from "./load-compiler.ts";
import { modelOptions, readCompileOptions, refuseUnsupported } from "./model-options.ts";
import { orUsageError } from "./option-values.ts";

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
    },
    { flags: "--diff <other>", help: "a build, or a file of cost --json, to compare with" },
    { flags: "--budget <file>", help: "JSON with most rounds and bytes; exit 1 when exceeded" },
    {
      flags: "--shape <name>",
      help: "count a known architecture without weights; --private all, layers, lf0.5, lora64 or lf0.5+lora64",
    },
    {
      flags: "--lora <rank>",
      help: "with --shape: the layers that --private names are public, and adapters on each of their products private",
    },
    { flags: "--merge <n>", help: "with --shape: so many heads of the layers that are not frozen share a softmax" },
    {
      flags: "--phase <phase>",
      help: "with --shape: prefill (--dim seq=128, the default) or decode (--dim context=512)",
    },
    { flags: "--baseline", help: "compare with all weights private" },
    { flags: "--html <file>", help: "write the report as one page" },
    { flags: "--trace <file>", help: "write the timeline" },
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
  const links = options.list("link").map((text) => orUsageError(() => parseLink(text)));
  const architecture = options.text("shape");
  const architectureOnly =
    architecture === undefined ? ["lora", "merge"].filter((name) => options.text(name) !== undefined) : [];
  if (architectureOnly.length > 0) failUsage(`--${architectureOnly.join(" and --")} of cost go with --shape`);
  const report: ReportWithDecode =
    architecture === undefined
      ? await costOfPath(path, options, links)
      : architectureCost(architecture, path, options, links);
  const budgetFile = options.text("budget");
  const over = budgetFile === undefined ? [] : budgetExcess(readBudget(budgetFile), report);
  for (const line of over) warn(`over budget: ${line}`);
  const other = options.text("diff");
  const diff = other === undefined ? undefined : costDiff(await baselineCost(other), report);
  const json = { ...report, ...(diff && { diff }), ...(budgetFile !== undefined && { exceeded: over }) };
  const token = report.decode ? decodeCostText(report.decode) : "";
  const counted = `${costText(report)}\n${token}${optimizationTargetText(report.chosenFor, report.setting)}\n`;
  const text = diff ? `${counted}\n${diffText(diff)}` : counted;
  return { json, text, exit: over.length > 0 ? 1 : 0 };
}

/** With what its protocols were chosen for: a build's by its manifest, others' by the options given. */
type ReportWithChoice = CostReport & { readonly chosenFor: OptimizationTarget };
type ReportWithDecode = ReportWithChoice & { readonly decode?: DecodeCost };

const decodeCostText = ({ places, offline, online }: DecodeCost): string =>
  `a token with kept keys and values, at the last of ${places} places:\n${phasesText({ predicted: { offline, online } })}\n`;

async function costOfPath(
  path: string | undefined,
  options: ParsedOptions,
  links: readonly LinkProfile[],
): Promise<ReportWithDecode> {
  if (path === undefined) return fail({ code: "MRL0803", message: "a build directory or a model was expected" });
  return isDirectory(path) ? await buildCost(path, links) : await modelCost(path, options, links);
}

async function modelCost(
  model: string,
  options: ParsedOptions,
  links: readonly LinkProfile[],
): Promise<ReportWithChoice> {
  const { compileModel } = await loadCompiler();
  const { module, manifest } = compileModel(readCompileOptions(model, options, links[0]));
  const { setting, programHash, chosenFor } = manifest;
  return { ...costReport(module, setting, programHash, links), chosenFor };
}

async function buildCost(dir: string, links: readonly LinkProfile[]): Promise<ReportWithDecode> {
  const { setting, programHash, chosenFor, decode } = loadManifest(dir);
  const read = async (name: string): Promise<Module> => {
    const file = join(dir, name);
    const module = await loadMir(readText(file), { file });
    throwIfAny(verify(module));
    return module;
  };
  const report = { ...costReport(await read("program.mir"), setting, programHash, links), chosenFor };
  return decode ? { ...report, decode: decodeCost(await read("decode.mir"), setting, decode.places) } : report;
}

async function baselineCost(path: string): Promise<CostReport> {
  if (isDirectory(path)) return await buildCost(path, []);
  try {
    const report = JSON.parse(readText(path)) as CostReport;
    if (report.schema === 1 && report.totals?.online?.bytes) return report;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return fail({ ...unreadableReport(path), message: "this is no report of marillc cost --json" });
}

const unreadableReport = (at: string): Diagnostic => ({
  code: "MRL0803",
  message: "this file cannot be read",
  at,
  help: "give a build directory, or what marillc cost --json printed",
});

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return fail(unreadableReport(file));
  }
}
