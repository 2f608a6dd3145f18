import { existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import type { CompileOptions } from "../load/index.ts";
import { importOwned, type Owned, ownershipFor } from "../load/index.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import { loweringOf } from "../onnx/import/lower/index.ts";
import { readModel } from "../onnx/normalize/index.ts";
import { costReport, type OperatorCost } from "../report/cost/index.ts";
import { annotate, type Blocker, leftText, notesOf, table } from "../report/text/index.ts";
import { readWhole } from "../tensors/files/index.ts";
import { blockerLines, blockersFrom } from "./check-blockers.ts";
import { type Call, type Outcome, usage } from "./command.ts";
import { loadCompiler } from "./load-compiler.ts";
import { compileOptionsOf } from "./model-options.ts";

interface Kind {
  readonly operator: string;
  readonly count: number;
  readonly supported: boolean;
}

function kindsOf({ graph }: OnnxModel): readonly Kind[] {
  const kinds = new Map<string, Kind>();
  for (const node of graph.nodes) {
    const operator = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
    const count = (kinds.get(operator)?.count ?? 0) + 1;
    kinds.set(operator, { operator, count, supported: loweringOf(node) !== undefined });
  }
  return [...kinds.values()].sort((a, b) => b.count - a.count || (a.operator < b.operator ? -1 : 1));
}

/** A file that is no model at all is an error; a model with blockers is an answer. */
export async function checkModel(path: string, { options, warn }: Call): Promise<Outcome> {
  const compile = compileOptionsOf(path, options);
  const out = options.text("annotate");
  if (out !== undefined && isSame(out, path)) usage("--annotate names the model itself: give another file");
  const model = readModel(path);
  const kinds = kindsOf(model);
  const { blockers, operators, left } = await blockersOf(compile, model);
  if (out !== undefined) {
    const ownership = ownershipOf(compile);
    const notes = notesOf({
      model,
      inputs: compile.inputs ?? {},
      blockers,
      ...(ownership && { ownership }),
      ...(operators && { operators }),
    });
    mkdirSync(dirname(out), { recursive: true });
    writeFileSync(out, annotate(readWhole(path, 2 ** 32 - 2), notes));
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
    notComputed: left,
    ...(out !== undefined && { annotated: out }),
  };
  const columns = [{ title: "operator" }, { title: "nodes", right: true }, { title: "" }] as const;
  const rows = kinds.map(({ operator, count, supported }) => [operator, count, supported ? "" : "not supported"]);
  const lines = [
    table(columns, rows),
    ...(passed ? [] : blockerLines(blockers)),
    ...[leftText(left).trimEnd()].filter((line) => line !== ""),
    ...(passed ? ["PASSED"] : []),
  ];
  return { json, text: `${lines.join("\n")}\n`, exit: passed ? 0 : 1 };
}

const isSame = (out: string, model: string): boolean =>
  existsSync(out) && existsSync(model) && realpathSync(out) === realpathSync(model);

/** Whose the weights are is known once something is said of it; without it only the import can be looked at. */
const isOwned = ({ base, adapter, private: names }: CompileOptions): boolean =>
  base !== undefined || adapter !== undefined || names !== undefined;

interface Found {
  readonly blockers: readonly Blocker[];
  readonly operators?: readonly OperatorCost[];
  /** Outputs that nobody asked for. */
  readonly left: readonly string[];
}

async function blockersOf(options: CompileOptions, model: OnnxModel): Promise<Found> {
  const { compileModel } = isOwned(options) ? await loadCompiler() : {};
  try {
    if (!compileModel) {
      const { left } = importOwned(options, { allowAllPublic: true });
      return { blockers: [], left };
    }
    const { module, manifest, left } = compileModel(options);
    return { blockers: [], left, operators: costReport(module, manifest.setting, manifest.programHash, []).operators };
  } catch (error) {
    if (error instanceof DiagnosticError) return { blockers: blockersFrom(error.diagnostics, model), left: [] };
    throw error;
  }
}

/** Undefined where that is what stands against the model. */
function ownershipOf(options: CompileOptions): Owned["ownership"] | undefined {
  try {
    return ownershipFor(options);
  } catch (error) {
    if (error instanceof DiagnosticError) return undefined;
    throw error;
  }
}
