import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import { verify } from "../../ir/verify.ts";
import { type LinkProfile, parseLink } from "../../runtime/transport/index.ts";
import type { ChosenFor } from "../build/index.ts";
import { loadManifest } from "../build/index.ts";
import {
  type CostReport,
  costReport,
  type DecodeCost,
  decodeCost,
  exceeded,
  readBudget,
} from "../report/cost/index.ts";
import { chosenForText, costDiff, costText, diffText, phasesText } from "../report/text/index.ts";
import { readModule } from "../run/index.ts";
import { type Call, type CommandSpec, jsonOption, type Options, type Outcome, usage } from "./command.ts";
import { loadCompiler } from "./load-compiler.ts";
import { compileOptionsOf, modelOptions, refuseUnbuilt } from "./model-options.ts";
import { shapeCost } from "./shape-options.ts";
import { readUsage } from "./values.ts";

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

const unbuilt = [
  ["baseline", 'count the model twice, once with --private "*", and compare with --diff'],
  ["html", "use --json"],
  ["trace", "use --json"],
] as const;

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

async function cost({ args, options, warn }: Call): Promise<Outcome> {
  refuseUnbuilt(options, unbuilt);
  const [path] = args;
  const links = options.texts("link").map((text) => readUsage(() => parseLink(text)));
  const shape = options.text("shape");
  const ofShapes = shape === undefined ? ["lora", "merge"].filter((name) => options.text(name) !== undefined) : [];
  if (ofShapes.length > 0) usage(`--${ofShapes.join(" and --")} of cost go with --shape`);
  const report: Counted =
    shape === undefined ? await costOfPath(path, options, links) : shapeCost(shape, path, options, links);
  const budgetFile = options.text("budget");
  const over = budgetFile === undefined ? [] : exceeded(readBudget(budgetFile), report);
  for (const line of over) warn(`over budget: ${line}`);
  const other = options.text("diff");
  const diff = other === undefined ? undefined : costDiff(await otherCost(other), report);
  const json = { ...report, ...(diff && { diff }), ...(budgetFile !== undefined && { exceeded: over }) };
  const token = report.decode ? decodeText(report.decode) : "";
  const counted = `${costText(report)}\n${token}${chosenForText(report.chosenFor, report.setting)}\n`;
  const text = diff ? `${counted}\n${diffText(diff)}` : counted;
  return { json, text, exit: over.length > 0 ? 1 : 0 };
}

/** With what its protocols were chosen for: a build's by its manifest, others' by the options given. */
type Chosen = CostReport & { readonly chosenFor: ChosenFor };
type Counted = Chosen & { readonly decode?: DecodeCost };

const decodeText = ({ places, offline, online }: DecodeCost): string =>
  `a token with kept keys and values, at the last of ${places} places:\n${phasesText({ predicted: { offline, online } })}\n`;

async function costOfPath(path: string | undefined, options: Options, links: readonly LinkProfile[]): Promise<Counted> {
  if (path === undefined) return fail({ code: "MRL0803", message: "a build directory or a model was expected" });
  return isDirectory(path) ? await buildCost(path, links) : await modelCost(path, options, links);
}

async function modelCost(model: string, options: Options, links: readonly LinkProfile[]): Promise<Chosen> {
  const { compileModel } = await loadCompiler();
  const { module, manifest } = compileModel(compileOptionsOf(model, options, links[0]));
  const { setting, programHash, chosenFor } = manifest;
  return { ...costReport(module, setting, programHash, links), chosenFor };
}

async function buildCost(dir: string, links: readonly LinkProfile[]): Promise<Counted> {
  const { setting, programHash, chosenFor, decode } = loadManifest(dir);
  const read = async (name: string): Promise<Module> => {
    const file = join(dir, name);
    const module = await readModule(readText(file), { file });
    throwIfAny(verify(module));
    return module;
  };
  const report = { ...costReport(await read("program.mir"), setting, programHash, links), chosenFor };
  return decode ? { ...report, decode: decodeCost(await read("decode.mir"), setting, decode.places) } : report;
}

async function otherCost(path: string): Promise<CostReport> {
  if (isDirectory(path)) return await buildCost(path, []);
  try {
    const report = JSON.parse(readText(path)) as CostReport;
    if (report.schema === 1 && report.totals?.online?.bytes) return report;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return fail({ ...unreadable(path), message: "this is no report of marillc cost --json" });
}

const unreadable = (at: string): Diagnostic => ({
  code: "MRL0803",
  message: "this file cannot be read",
  at,
  help: "give a build directory, or what marillc cost --json printed",
});

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return fail(unreadable(file));
  }
}
