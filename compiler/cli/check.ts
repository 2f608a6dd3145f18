import { statSync } from "node:fs";
import { type Diagnostic, DiagnosticError, formatDiagnostic } from "../../ir/diagnostic.ts";
import { readModel } from "../onnx/decode.ts";
import { loweringOf } from "../onnx/lower/index.ts";
import type { OnnxModel } from "../onnx/records.ts";
import { importFor } from "../owned.ts";
import { table } from "../report/table.ts";
import { checkBuild } from "./check-flow.ts";
import { type Call, type CommandSpec, jsonOption, type Outcome, usage } from "./command.ts";
import { withHelp } from "./help.ts";
import { dimsOf } from "./values.ts";

export const checkCommand: CommandSpec = {
  name: "check",
  summary:
    "say whether a model can be compiled, or who learns what in a build, and name everything that stands against it",
  arguments: [{ name: "model.onnx", help: "the model; or a build directory, or one party's folder of it" }],
  options: [{ flags: "--dim <name=size>", help: "size of a symbolic dimension", repeats: true }, jsonOption],
  examples: [
    "marillc check fixtures/date-llama/base-ts17.onnx",
    "marillc check fixtures/date-llama/base-ts17-seq.onnx --dim seq=48",
    "marillc check build/date",
  ],
  run: check,
};

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
async function check({ args, options }: Call): Promise<Outcome> {
  const model = args[0]!;
  const dims = dimsOf(options);
  if (statSync(model, { throwIfNoEntry: false })?.isDirectory()) {
    if (Object.keys(dims).length > 0) usage("--dim is for models: the programs of a build have all their sizes");
    return checkBuild(model);
  }
  const kinds = kindsOf(readModel(model));
  const blockers = blockersOf(() => importFor({ model, dims }));
  const passed = blockers.length === 0;
  const json = { schema: 1, passed, operators: kinds, blockers };
  const columns = [{ title: "operator" }, { title: "nodes", right: true }, { title: "" }] as const;
  const rows = kinds.map(({ operator, count, supported }) => [operator, count, supported ? "" : "not supported"]);
  const lines = [
    table(columns, rows),
    ...blockers.map(withHelp).map(formatDiagnostic),
    passed ? "PASSED" : `FAILED: ${blockers.length} blockers`,
  ];
  return { json, text: `${lines.join("\n")}\n`, exit: passed ? 0 : 1 };
}

function blockersOf(attempt: () => unknown): readonly Diagnostic[] {
  try {
    attempt();
    return [];
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics;
    throw error;
  }
}
