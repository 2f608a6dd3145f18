import { existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import type { CompileOptions } from "../load/index.ts";
import { type LoadedModel, loadModel, loadOwnership } from "../load/index.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import { loweringOf } from "../onnx/import/lower/index.ts";
import { readModel } from "../onnx/normalize/index.ts";
import { costReport, type OperatorCost } from "../report/cost/index.ts";
import { type Blocker, modelMetadata, omittedOutputsText, textTable, writeMetadata } from "../report/text/index.ts";
import { readWholeFile } from "../tensors/files/index.ts";
import { blockerLines, blockersFrom } from "./blockers.ts";
import { type CommandResult, failUsage, type Invocation } from "./command.ts";
import { loadCompiler } from "./load-compiler.ts";
import { readCompileOptions } from "./model-options.ts";

interface OperatorCount {
  readonly operator: string;
  readonly count: number;
  readonly supported: boolean;
}

function countOperators({ graph }: OnnxModel): readonly OperatorCount[] {
  const kinds = new Map<string, OperatorCount>();
  for (const node of graph.nodes) {
    const operator = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
    const count = (kinds.get(operator)?.count ?? 0) + 1;
    kinds.set(operator, { operator, count, supported: loweringOf(node) !== undefined });
  }
  return [...kinds.values()].sort((a, b) => b.count - a.count || (a.operator < b.operator ? -1 : 1));
}

/** A file that is no model at all is an error; a model with blockers is an answer. */
export async function checkModel(path: string, { options, warn }: Invocation): Promise<CommandResult> {
  const compile = readCompileOptions(path, options);
  const out = options.text("annotate");
  if (out !== undefined && isSameFile(out, path)) failUsage("--annotate names the model itself: give another file");
  const model = readModel(path);
  const kinds = countOperators(model);
  const { blockers, operators, omittedOutputs } = await findBlockers(compile, model);
  if (out !== undefined) {
    const ownership = ownershipOf(compile);
    const notes = modelMetadata({
      model,
      inputs: compile.inputs ?? {},
      blockers,
      ...(ownership && { ownership }),
      ...(operators && { operators }),
    });
    mkdirSync(dirname(out), { recursive: true });
    writeFileSync(out, writeMetadata(readWholeFile(path, 2 ** 32 - 2), notes));
    const outside = [...model.graph.initializers.values()].some(({ source }) => source.kind === "external");
    if (outside && dirname(resolve(out)) !== dirname(resolve(path))) {
      warn(`${out} needs the data files of ${path} beside it to run; to look at it, it does not`);
    }
  }
  const passed = blockers.length === 0;
  const json = {
    schema: 1,
    passed,
    operators: kinds,
    blockers,
    notComputed: omittedOutputs,
    ...(out !== undefined && { annotated: out }),
  };
  const columns = [{ title: "operator" }, { title: "nodes", right: true }, { title: "" }] as const;
  const rows = kinds.map(({ operator, count, supported }) => [operator, count, supported ? "" : "not supported"]);
  const lines = [
    textTable(columns, rows),
    ...(passed ? [] : blockerLines(blockers)),
    ...[omittedOutputsText(omittedOutputs).trimEnd()].filter((line) => line !== ""),
    ...(passed ? ["PASSED"] : []),
  ];
  return { json, text: `${lines.join("\n")}\n`, exit: passed ? 0 : 1 };
}

const isSameFile = (out: string, model: string): boolean =>
  existsSync(out) && existsSync(model) && realpathSync(out) === realpathSync(model);

/** Whose the weights are is known once something is said of it; without it only the import can be looked at. */
const hasOwnership = ({ base, adapter, private: names }: CompileOptions): boolean =>
  base !== undefined || adapter !== undefined || names !== undefined;

interface CheckedModel {
  readonly blockers: readonly Blocker[];
  readonly operators?: readonly OperatorCost[];
  /** Outputs that nobody asked for. */
  readonly omittedOutputs: readonly string[];
}

async function findBlockers(options: CompileOptions, model: OnnxModel): Promise<CheckedModel> {
  const { compileModel } = hasOwnership(options) ? await loadCompiler() : {};
  try {
    if (!compileModel) {
      const { omittedOutputs } = loadModel(options, { allowAllPublic: true });
      return { blockers: [], omittedOutputs };
    }
    const { module, manifest, omittedOutputs } = compileModel(options);
    return {
      blockers: [],
      omittedOutputs,
      operators: costReport(module, manifest.setting, manifest.programHash, []).operators,
    };
  } catch (error) {
    if (error instanceof DiagnosticError)
      return { blockers: blockersFrom(error.diagnostics, model), omittedOutputs: [] };
    throw error;
  }
}

/** Undefined where that is what stands against the model. */
function ownershipOf(options: CompileOptions): LoadedModel["ownership"] | undefined {
  try {
    return loadOwnership(options);
  } catch (error) {
    if (error instanceof DiagnosticError) return undefined;
    throw error;
  }
}
