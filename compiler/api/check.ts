import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { checkFlow, type Finding, type FlowReport } from "../audit/index.ts";
import { isPartyFolder } from "../build/index.ts";
import { type LoadedModel, loadModel, loadOwnership, type ResolvedOptions } from "../load/index.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import { loweringOf } from "../onnx/import/lower/index.ts";
import { readModel } from "../onnx/normalize/index.ts";
import { costReport, type OperatorCost } from "../report/cost/index.ts";
import { type Blocker, modelMetadata, writeMetadata } from "../report/text/index.ts";
import { makeFolder, readWholeFile, writeWholeFile } from "../tensors/files/index.ts";
import { blockersFrom } from "./blockers.ts";
import { loadCompiler } from "./compile.ts";
import { refuseFile, usage } from "./errors.ts";
import { callback, checkOptions, type Fields, flag, required, text } from "./fields.ts";
import { withHelp } from "./help.ts";
import { hasPrecision, type ModelOptions, modelFields, resolveModelOptions } from "./model-options.ts";
import { type Guardian, isVerified, unguarded, type VerifyStagedOptions, verifyUnwritten } from "./verify.ts";

/** Operators of one kind in a model. */
export interface OperatorKind {
  /** ONNX operator name, with its domain unless that is the default domain. */
  readonly operator: string;
  readonly count: number;
  readonly supported: boolean;
}

export interface CheckOptions extends ModelOptions {
  /** Write a copy of the model there, whose node metadata says who knows each result, its protocol and its cost. */
  readonly annotate?: string;
  /** Verify a small model on its calibration samples, as `compile` does. Default: for models that take about a second. */
  readonly verify?: boolean;
  /** Called with each warning, one line. */
  readonly onWarning?: (line: string) => void;
}

const checkFields: Fields<CheckOptions> = { ...modelFields, annotate: text, verify: flag, onWarning: callback };

/** Output of `check <model.onnx> --json`. */
export interface CheckResult {
  readonly schema: 1;
  /** Whether the model has no blockers. */
  readonly passed: boolean;
  /** What was checked: the import, where no option says more than sizes and constants, or all that `compile` does. */
  readonly scope: "import" | "compilation";
  /** By kind, the most frequent first. */
  readonly operators: readonly OperatorKind[];
  /** All blockers, with node, operator, layer and help. */
  readonly blockers: readonly Blocker[];
  /** Outputs that `reveal` does not name. */
  readonly notComputed: readonly string[];
  /** Path of the annotated copy. */
  readonly annotated?: string;
}

/**
 * Reports whether a model can be compiled, with all blockers: those that `compile` refuses with the same options. With
 * `dims` and `fixed` alone it checks only the import, before anybody has said who owns what.
 *
 * @example
 * ```ts
 * const { passed, blockers } = await check({ model: "model.onnx", dims: { seq: 128 } });
 * for (const { code, node, message, help } of blockers) console.log(code, node, message, help);
 * ```
 * @throws DiagnosticError for a file that is not a model; the blockers of a model are a result
 */
export async function check(given: CheckOptions): Promise<CheckResult> {
  return await checkGuarded(given, unguarded);
}

/** The same for a process that a signal may end. */
export async function checkGuarded(given: CheckOptions, guardian: Guardian): Promise<CheckResult> {
  checkOptions("check", checkFields, given);
  const { annotate: out, verify, onWarning, ...options } = given;
  const scope = isImportOnly(options) ? "import" : "compilation";
  const compile = resolveModelOptions(options);
  const path = compile.model;
  if (out !== undefined && isSame(out, path)) usage("--annotate takes a new file, found the model itself");
  const model = readModel(path);
  const { blockers, operators, left } = await blockersOf(
    compile,
    model,
    scope === "compilation" && { verify, guardian, byHand: hasPrecision(options) },
  );
  if (out !== undefined) {
    writeAnnotated(out, compile, model, blockers, operators);
    const outside = [...model.graph.initializers.values()].some(({ source }) => source.kind === "external");
    if (outside && dirname(resolve(out)) !== dirname(resolve(path))) {
      onWarning?.(`to run ${out}, copy the data files of ${path} beside it; viewing it works without them`);
    }
  }
  return {
    schema: 1,
    passed: blockers.length === 0,
    scope,
    operators: kindsOf(model),
    blockers,
    notComputed: left,
    ...(out !== undefined && { annotated: out }),
  };
}

function kindsOf({ graph }: OnnxModel): readonly OperatorKind[] {
  const kinds = new Map<string, OperatorKind>();
  for (const node of graph.nodes) {
    const operator = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
    const count = (kinds.get(operator)?.count ?? 0) + 1;
    kinds.set(operator, { operator, count, supported: loweringOf(node) !== undefined });
  }
  return [...kinds.values()].sort((a, b) => b.count - a.count || (a.operator < b.operator ? -1 : 1));
}

function writeAnnotated(
  out: string,
  compile: ResolvedOptions,
  model: OnnxModel,
  blockers: readonly Blocker[],
  operators: readonly OperatorCost[] | undefined,
): void {
  const ownership = ownershipOf(compile);
  const notes = modelMetadata({
    model,
    inputs: compile.interface.owners,
    blockers,
    ...(ownership && { ownership }),
    ...(operators && { operators }),
  });
  makeFolder(dirname(out));
  writeWholeFile(out, writeMetadata(readWholeFile(compile.model, mostBytes), notes));
}

const isSame = (out: string, model: string): boolean =>
  existsSync(out) && existsSync(model) && realpathSync(out) === realpathSync(model);

/** Options that say nothing of owners, readers or the program. */
const importOptions: ReadonlySet<string> = new Set(["model", "name", "dims", "fixed"] satisfies (keyof ModelOptions)[]);

/** Whether only sizes are given: nobody has said yet who owns what, and the question is whether the model can be read. */
const isImportOnly = (options: ModelOptions): boolean =>
  Object.entries(options).every(([name, value]) => value === undefined || importOptions.has(name) || isEmpty(value));

/** The command line gives lists and records of options that nobody named. */
const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

interface Found {
  readonly blockers: readonly Blocker[];
  readonly operators?: readonly OperatorCost[];
  readonly left: readonly string[];
}

async function blockersOf(
  options: ResolvedOptions,
  model: OnnxModel,
  how: VerifyStagedOptions | false,
): Promise<Found> {
  const { compileModel } = how ? await loadCompiler() : {};
  try {
    if (!how || !compileModel) {
      const { omittedOutputs } = loadModel(options, { allowAllPublic: true });
      return { blockers: [], left: omittedOutputs };
    }
    const compilation = compileModel(options, {
      declare: how.verify !== false,
      isVerified: (tried) => isVerified(tried, how.verify),
    });
    await verifyUnwritten(compilation, how);
    const { module, manifest, omittedOutputs } = compilation;
    return {
      blockers: [],
      left: omittedOutputs,
      operators: costReport(module, manifest.setting, manifest.programHash, []).operators,
    };
  } catch (error) {
    if (error instanceof DiagnosticError) return { blockers: blockersFrom(error.diagnostics, model), left: [] };
    throw error;
  }
}

/** Undefined if the ownership itself has blockers. */
function ownershipOf(options: ResolvedOptions): LoadedModel["ownership"] | undefined {
  try {
    return loadOwnership(options);
  } catch (error) {
    if (error instanceof DiagnosticError) return undefined;
    throw error;
  }
}

/** Output of `check <build-dir> --json`: who learns what, derived from the programs alone. */
export interface BuildCheckResult extends Omit<FlowReport, "findings"> {
  readonly schema: 1;
  /** Whether the programs open only what the manifest declares, and every other rule of docs/flow-checker.md holds. */
  readonly passed: boolean;
  readonly blockers: readonly Finding[];
}

export interface CheckBuildOptions {
  /** A build directory, or one party's folder of it. */
  readonly build: string;
}

const buildFields: Fields<CheckBuildOptions> = { build: required(text) };

/**
 * Follows every value through the programs of a build and reports who learns what. It trusts no other part of the
 * compiler.
 *
 * @example
 * ```ts
 * const { passed, opened } = checkBuild({ build: "build" });
 * for (const { tensor, to } of opened) console.log(`${tensor} is opened to the ${to}`);
 * ```
 */
export function checkBuild(options: CheckBuildOptions): BuildCheckResult {
  checkOptions("checkBuild", buildFields, options);
  const { build } = options;
  const { findings, ...statement } = checkFlow(readFiles(build));
  return { schema: 1, passed: findings.length === 0, ...statement, blockers: findings.map(withHelp) };
}

/** The longest buffer of Node 20 is 4 GiB. */
const mostBytes = 2 ** 32 - 2;

function readFiles(dir: string): ReadonlyMap<string, Uint8Array> {
  try {
    return filesOf(dir);
  } catch (error) {
    return refuseFile(error);
  }
}

/** Files by path in the build. The folder of one party gets the party name in its program as a prefix. */
function filesOf(dir: string): ReadonlyMap<string, Uint8Array> {
  const paths = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
  // The checker reports deeper files as not part of a build, so their contents do not matter.
  const isShallow = (path: string): boolean => path.split("/").length <= 2;
  const files = new Map(
    paths.map((path) => [path, isShallow(path) ? readWholeFile(join(dir, path), mostBytes) : new Uint8Array(0)]),
  );
  if (!isPartyFolder(dir)) return files;
  // The loader runs program.js, so it says whose folder this is; folders within it are no part of a build.
  const program = files.get("program.js") ?? files.get("program.ts") ?? new Uint8Array(0);
  const whose = /^\/\/ (client|server|dealer) program/.exec(new TextDecoder().decode(program.subarray(0, 40)));
  return new Map([...files].map(([path, bytes]) => [`${whose?.[1] ?? "?"}/${path}`, bytes]));
}
