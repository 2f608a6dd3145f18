import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { checkFlow, type Finding, type FlowReport } from "../audit/index.ts";
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
import { callback, checkOptions, type Fields, required, text } from "./fields.ts";
import { withHelp } from "./help.ts";
import { type ModelOptions, modelFields, resolveModelOptions } from "./model-options.ts";

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
  /** Called with each warning, one line. */
  readonly onWarning?: (line: string) => void;
}

const checkFields: Fields<CheckOptions> = { ...modelFields, annotate: text, onWarning: callback };

/** Output of `check <model.onnx> --json`. */
export interface CheckResult {
  readonly schema: 1;
  /** Whether the model has no blockers. */
  readonly passed: boolean;
  /** By kind, the most frequent first. */
  readonly operators: readonly OperatorKind[];
  /** All blockers, with node, operator, layer and help. */
  readonly blockers: readonly Blocker[];
  /** Outputs that `reveal` does not name. */
  readonly notComputed: readonly string[];
  /** What was tried: the whole compilation, or only the import, where no option says who owns the weights. */
  readonly tried: "import" | "compilation";
  /** Path of the annotated copy. */
  readonly annotated?: string;
}

/**
 * Reports whether a model can be compiled, with all blockers. Without `base`, `adapter` or `private` it checks only the
 * import.
 *
 * @example
 * ```ts
 * const { passed, blockers } = await check({ model: "model.onnx", dims: { seq: 128 } });
 * for (const { code, node, message, help } of blockers) console.log(code, node, message, help);
 * ```
 * @throws DiagnosticError for a file that is not a model; the blockers of a model are a result
 */
export async function check(given: CheckOptions): Promise<CheckResult> {
  checkOptions("check", checkFields, given);
  const { annotate: out, onWarning, ...options } = given;
  const compile = resolveModelOptions(options);
  const path = compile.model;
  if (out !== undefined && isSame(out, path)) usage("--annotate takes a new file, found the model itself");
  const model = readModel(path);
  const { blockers, operators, left } = await blockersOf(compile, model);
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
    operators: kindsOf(model),
    blockers,
    notComputed: left,
    tried: isOwned(compile) ? "compilation" : "import",
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

/** Whether the options say who owns the weights; without that, only the import can be checked. */
const isOwned = ({ weights: { base, adapter, private: names } }: ResolvedOptions): boolean =>
  base !== undefined || adapter !== undefined || names !== undefined;

interface Found {
  readonly blockers: readonly Blocker[];
  readonly operators?: readonly OperatorCost[];
  readonly left: readonly string[];
}

async function blockersOf(options: ResolvedOptions, model: OnnxModel): Promise<Found> {
  const { compileModel } = isOwned(options) ? await loadCompiler() : {};
  try {
    if (!compileModel) {
      const { omittedOutputs } = loadModel(options, { allowAllPublic: true });
      return { blockers: [], left: omittedOutputs };
    }
    const { module, manifest, omittedOutputs } = compileModel(options);
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
  const program = files.get("program.js") ?? files.get("program.ts");
  const whose =
    program && /^\/\/ (client|server|dealer) program/.exec(new TextDecoder().decode(program.subarray(0, 40)));
  return whose ? new Map([...files].map(([path, bytes]) => [`${whose[1]}/${path}`, bytes])) : files;
}
