import { existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import type { Finding } from "../audit/index.ts";
import { checkFlow, type FlowReport } from "../audit/index.ts";
import { type LoadedModel, loadModel, loadOwnership, type ResolvedOptions } from "../load/index.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import { loweringOf } from "../onnx/import/lower/index.ts";
import { readModel } from "../onnx/normalize/index.ts";
import { costReport, type OperatorCost } from "../report/cost/index.ts";
import { type Blocker, modelMetadata, writeMetadata } from "../report/text/index.ts";
import { readWholeFile } from "../tensors/files/index.ts";
import { blockersFrom } from "./blockers.ts";
import { loadCompiler } from "./compile.ts";
import { usage } from "./errors.ts";
import { withHelp } from "./help.ts";
import { type ModelOptions, resolveModelOptions } from "./model-options.ts";

/** Operators of one kind in a model. */
export interface OperatorKind {
  /** As ONNX names it, with its domain where that is not the default one. */
  readonly operator: string;
  readonly count: number;
  readonly supported: boolean;
}

export interface CheckOptions extends ModelOptions {
  /** Write a copy of the model there that says beside each node who knows its result, its protocol and its cost. */
  readonly annotate?: string;
  /** Hears, in a line, what is worth knowing and no error. */
  readonly onWarning?: (line: string) => void;
}

/** What `check <model.onnx> --json` prints. */
export interface CheckResult {
  readonly schema: 1;
  /** Whether nothing stands against compiling the model. */
  readonly passed: boolean;
  /** Kinds of operators, the most frequent first. */
  readonly operators: readonly OperatorKind[];
  /** Everything that stands against it, with node, operator, layer, and what to do. */
  readonly blockers: readonly Blocker[];
  /** Outputs that no reveal names. */
  readonly notComputed: readonly string[];
  /** The annotated copy, where one was asked for. */
  readonly annotated?: string;
}

/**
 * Says whether a model can be compiled, and names everything that stands against it. A model with blockers is an answer;
 * a file that is no model is an error. Without `base`, `adapter` or `private` the import alone is tried.
 *
 * @example
 * ```ts
 * const { passed, blockers } = await check({ model: "model.onnx", dims: { seq: 128 } });
 * for (const { code, node, message, help } of blockers) console.log(code, node, message, help);
 * ```
 */
export async function check({ annotate: out, onWarning, ...options }: CheckOptions): Promise<CheckResult> {
  const compile = resolveModelOptions(options);
  const path = compile.model;
  if (out !== undefined && isSame(out, path)) usage("--annotate names the model itself: give another file");
  const model = readModel(path);
  const { blockers, operators, left } = await blockersOf(compile, model);
  if (out !== undefined) {
    writeAnnotated(out, compile, model, blockers, operators);
    const outside = [...model.graph.initializers.values()].some(({ source }) => source.kind === "external");
    if (outside && dirname(resolve(out)) !== dirname(resolve(path))) {
      onWarning?.(`${out} needs the data files of ${path} beside it to run; to look at it, it does not`);
    }
  }
  return {
    schema: 1,
    passed: blockers.length === 0,
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
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, writeMetadata(readWholeFile(compile.model, mostBytes), notes));
}

const isSame = (out: string, model: string): boolean =>
  existsSync(out) && existsSync(model) && realpathSync(out) === realpathSync(model);

/** Whose the weights are is known once something is said of it; without it only the import can be looked at. */
const isOwned = ({ weights: { base, adapter, private: names } }: ResolvedOptions): boolean =>
  base !== undefined || adapter !== undefined || names !== undefined;

interface Found {
  readonly blockers: readonly Blocker[];
  readonly operators?: readonly OperatorCost[];
  /** Outputs that nobody asked for. */
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

/** Undefined where that is what stands against the model. */
function ownershipOf(options: ResolvedOptions): LoadedModel["ownership"] | undefined {
  try {
    return loadOwnership(options);
  } catch (error) {
    if (error instanceof DiagnosticError) return undefined;
    throw error;
  }
}

/** What `check <build-dir> --json` prints: who learns what, read from the programs alone. */
export interface BuildCheckResult extends Omit<FlowReport, "findings"> {
  readonly schema: 1;
  /** Whether nothing is opened but what the manifest declares, and every other rule of docs/flow-checker.md holds. */
  readonly passed: boolean;
  readonly blockers: readonly Finding[];
}

export interface CheckBuildOptions {
  /** A build directory, or one party's folder of it. */
  readonly build: string;
}

/**
 * Follows every value through the programs of a build and says who learns what; it trusts no other part of the compiler.
 *
 * @example
 * ```ts
 * const { passed, opened } = checkBuild({ build: "build" });
 * for (const { tensor, to } of opened) console.log(`${tensor} is opened to the ${to}`);
 * ```
 */
export function checkBuild({ build }: CheckBuildOptions): BuildCheckResult {
  const { findings, ...statement } = checkFlow(filesOf(build));
  return { schema: 1, passed: findings.length === 0, ...statement, blockers: findings.map(withHelp) };
}

/** Node's buffers end at 4 GiB. */
const mostBytes = 2 ** 32 - 2;

/** Files by their path in a build; a folder of one party alone stands under the name that its program gives it. */
function filesOf(dir: string): ReadonlyMap<string, Uint8Array> {
  const paths = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
  // What lies deeper is named as no part of a build; its contents do not matter.
  const isShallow = (path: string): boolean => path.split("/").length <= 2;
  const files = new Map(
    paths.map((path) => [path, isShallow(path) ? readWholeFile(join(dir, path), mostBytes) : new Uint8Array(0)]),
  );
  const program = files.get("program.js") ?? files.get("program.ts");
  const whose =
    program && /^\/\/ (client|server|dealer) program/.exec(new TextDecoder().decode(program.subarray(0, 40)));
  return whose ? new Map([...files].map(([path, bytes]) => [`${whose[1]}/${path}`, bytes])) : files;
}
