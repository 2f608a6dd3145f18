import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import { verify } from "../../ir/verify.ts";
import type { LinkProfile } from "../../runtime/transport/index.ts";
import { loadManifest, type Manifest, type OptimizationTarget } from "../build/index.ts";
import {
  type Budget,
  budgetExcess,
  type CostReport,
  checkBudget,
  costReport,
  type DecodeCost,
  decodeCost,
  type GuardCost,
  guardCost,
  readBudget,
} from "../report/cost/index.ts";
import { type CostChange, costDiff } from "../report/text/index.ts";
import { loadMir } from "../run/index.ts";
import { type ArchitectureCostOptions, architectureCost, architectureFields } from "./architecture-cost.ts";
import { loadCompiler } from "./compile.ts";
import { usage } from "./errors.ts";
import { checkOptions, either, type Fields, isText, link, listOf, recordOf, required, text } from "./fields.ts";
import { type ModelOptions, modelFields, resolveModelOptions } from "./model-options.ts";
import { given, type LinkOption, linkOf } from "./values.ts";

/** Options of every count. */
export interface CountOptions {
  /**
   * Links to add the network time on. For a model or an architecture, protocols are chosen for the first link (default:
   * `wan`); a build stays as compiled.
   */
  readonly links?: readonly LinkOption[];
  /** Compare with a build directory, a saved `cost --json` report, or an earlier result. */
  readonly diff?: string | CostReport;
  /** Maximum rounds and bytes, or a JSON file with them; `exceeded` lists what is over. */
  readonly budget?: string | Budget;
}

/** Counts a build. */
export interface BuildCostOptions extends CountOptions {
  /** A build directory. */
  readonly build: string;
}

/** Counts a model: compiles it and writes nothing. */
export type ModelCostOptions = CountOptions & Omit<ModelOptions, "link">;

export type CostOptions = BuildCostOptions | ModelCostOptions | (CountOptions & ArchitectureCostOptions);

const countFields: Fields<CountOptions> = {
  links: listOf(link),
  // Their own readers say what a report and a budget are.
  diff: either([isText, text], [() => true, recordOf(() => [])]),
  budget: either([isText, text], [() => true, recordOf(() => [])]),
};
const { link: _firstOfLinks, ...countedModel } = modelFields;
const countable = {
  build: { ...countFields, build: required(text) } satisfies Fields<BuildCostOptions>,
  architecture: { ...countFields, ...architectureFields } satisfies Fields<CountOptions & ArchitectureCostOptions>,
  model: { ...countFields, ...countedModel } satisfies Fields<ModelCostOptions>,
};

/** Options that say what to count, without those that are undefined. */
function countedOptions(options: CostOptions): CostOptions {
  const asked = given((options ?? {}) as CostOptions) as CostOptions;
  const kinds = Object.keys(countable) as (keyof typeof countable)[];
  const named = kinds.filter((kind) => Object.hasOwn(asked, kind));
  if (named.length !== 1)
    return usage(`cost: expected one of ${kinds.join(", ")}, found ${named.join(" and ") || "none"}`);
  checkOptions<CostOptions>("cost", countable[named[0]!] as Fields<never>, asked);
  return asked;
}

/** Output of `cost --json`. Bytes are protocol payload of all parties, by direction, for one query. */
export interface CostResult extends CostReport {
  readonly chosenFor: OptimizationTarget;
  /** How likely a query leaves its bounds, as the manifest says; absent where nothing was measured. */
  readonly wrap?: Manifest["calibration"]["wrap"];
  /** The published system whose approximations it has; absent for our own arithmetic. */
  readonly preset?: string;
  /** How far each output may be from the model in real numbers, as the manifest says; absent for a preset. */
  readonly errors?: Manifest["errors"];
  /** Where errors may lead to another decision, as the manifest says. */
  readonly decisions?: Manifest["decisions"];
  /** For a build that caches keys and values: one token, at the last position. */
  readonly decode?: DecodeCost;
  /** For a build with a guard: what its range checks cost in a query, contained in the totals. */
  readonly guard?: GuardCost;
  /** Totals that differ from `diff`. */
  readonly diff?: readonly CostChange[];
  /** What exceeds `budget`, one line each. */
  readonly exceeded?: readonly string[];
}

/**
 * Counts rounds and bytes before anything runs, by operator and layer. The numbers are exact: a run that sends anything
 * else fails. Bytes are protocol payload; TLS and framing are not included.
 *
 * @example
 * ```ts
 * const { totals, layers } = await cost({ build: "build", links: ["lan", "wan"] });
 * const known = await cost({ architecture: "bert-base", dims: { seq: 128 }, private: "all" });
 * ```
 * @throws DiagnosticError with all blockers of the model and problems of the options
 */
export async function cost(options: CostOptions): Promise<CostResult> {
  return await costBeside(options, []);
}

/** The same with diagnostics of the command line, reported together with those of an architecture's options. */
export async function costBeside(all: CostOptions, refused: readonly Diagnostic[]): Promise<CostResult> {
  const options = countedOptions(all);
  const links = (options.links ?? []).map(linkOf);
  const report = await countedOf(options, links, refused);
  const { budget, diff } = options;
  const over =
    budget === undefined
      ? undefined
      : budgetExcess(typeof budget === "string" ? readBudget(budget) : checkBudget(budget), report);
  const changes =
    diff === undefined
      ? undefined
      : costDiff(typeof diff === "string" ? await otherCost(diff) : checkedReport(diff), report);
  return { ...report, ...(changes && { diff: changes }), ...(over && { exceeded: over }) };
}

type Counted = Omit<CostResult, "diff" | "exceeded">;

async function countedOf(
  options: CostOptions,
  links: readonly LinkProfile[],
  refused: readonly Diagnostic[],
): Promise<Counted> {
  if ("build" in options) return await buildCost(options.build, links);
  if ("architecture" in options) return architectureCost(options, links, refused);
  const { links: _, diff: __, budget: ___, ...model } = options;
  return await modelCost({ ...model, ...given({ link: links[0] }) }, links);
}

const presetOf = (numerics: string): string | undefined => (numerics === "marill" ? undefined : numerics);

async function modelCost(model: ModelOptions, links: readonly LinkProfile[]): Promise<Counted> {
  const { compileModel } = await loadCompiler();
  const { module, manifest } = compileModel(resolveModelOptions(model), { declare: true });
  const { setting, programHash, chosenFor, calibration, guard, errors, decisions, numerics } = manifest;
  const checks = guard && guardCost(module, setting, guard);
  const counted = costReport(module, setting, programHash, links);
  return {
    ...counted,
    chosenFor,
    ...given({ wrap: calibration.wrap, errors, decisions, guard: checks, preset: presetOf(numerics) }),
  };
}

async function buildCost(dir: string, links: readonly LinkProfile[]): Promise<Counted> {
  const { setting, programHash, chosenFor, decode, calibration, guard, errors, decisions, numerics } =
    loadManifest(dir);
  const read = async (name: string): Promise<Module> => {
    const file = join(dir, name);
    const module = await loadMir(readText(file), { file });
    throwIfAny(verify(module));
    return module;
  };
  const module = await read("program.mir");
  const counted = costReport(module, setting, programHash, links);
  const checks = guard && guardCost(module, setting, guard);
  const report = {
    ...counted,
    chosenFor,
    ...given({ wrap: calibration.wrap, errors, decisions, guard: checks, preset: presetOf(numerics) }),
  };
  return decode ? { ...report, decode: decodeCost(await read("decode.mir"), setting, decode.places) } : report;
}

async function otherCost(path: string): Promise<CostReport> {
  if (isDirectory(path)) return await buildCost(path, []);
  try {
    const report: unknown = JSON.parse(readText(path));
    if (isReport(report)) return report;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return fail({ ...unreadable(path), message: "expected a report of marillc cost --json, found something else" });
}

const isReport = (value: unknown): value is CostReport => {
  const report = value as CostReport | null;
  return report?.schema === 1 && typeof report.totals?.online?.bytes === "object";
};

const checkedReport = (diff: CostReport): CostReport =>
  isReport(diff) ? diff : usage("cost: diff: expected a result of cost, found another object");

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

const unreadable = (at: string): Diagnostic => ({
  code: "MRL0803",
  message: "the file cannot be read",
  at,
  help: "give a build directory, or a file with the output of marillc cost --json",
});

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return fail(unreadable(file));
  }
}

/** @throws DiagnosticError MRL0803: neither a build nor a model is given */
export const nothingToCount = (): never =>
  fail({
    code: "MRL0803",
    message: "expected a build directory or a model, found neither",
    help: "marillc cost <build-dir>, or without weights: marillc cost --architecture bert-tiny --dim seq=32 --private all",
  });
