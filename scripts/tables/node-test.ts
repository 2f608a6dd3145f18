import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeTensorFile, type OnnxModel, type OnnxTensor, readTensor } from "../../compiler/onnx/format/index.ts";
import { type ImportedModel, importModel } from "../../compiler/onnx/import/index.ts";
import { readModel } from "../../compiler/onnx/normalize/index.ts";
import { elementOfDtype } from "../../compiler/onnx/weights/index.ts";
import { type Diagnostic, DiagnosticError } from "../../ir/diagnostic.ts";
import type { Label } from "../../ir/label.ts";
import type { Tensor } from "../../ir/tensor.ts";

/** A model of one operator with inputs and expected outputs, in the layout of the ONNX project's test data. */
export interface NodeTest {
  readonly model: OnnxModel;
  readonly inputs: readonly OnnxTensor[];
  readonly outputs: readonly OnnxTensor[];
}

export function readNodeTest(folder: string): NodeTest {
  const model = readModel(join(folder, "model.onnx"));
  const read = (kind: string, count: number): OnnxTensor[] =>
    Array.from({ length: count }, (_, at) => join(folder, "test_data_set_0", `${kind}_${at}.pb`))
      .filter((file) => existsSync(file))
      .map((file) => decodeTensorFile(readFileSync(file), file));
  return {
    model,
    inputs: read("input", model.graph.inputs.length),
    outputs: read("output", model.graph.outputs.length),
  };
}

export const tensorValues = (source: OnnxTensor): Tensor => readTensor({ file: source.name }, source);

/** The test with some of its inputs stored in the model, so that they are known when it is compiled. */
export interface ImportAttempt {
  readonly imported: ImportedModel;
  /** Names of the inputs that are stored. */
  readonly knownInputs: readonly string[];
}

/** Exporters give constants such names; an input called `min` could be a weight. */
const constantName = (name: string): string => `onnx::${name}`;

function withConstants({ model, inputs }: NodeTest, known: ReadonlySet<number>): OnnxModel {
  const { graph } = model;
  const names = new Map(graph.inputs.flatMap(({ name }, at) => (known.has(at) ? [[name, constantName(name)]] : [])));
  const renamed = (name: string): string => names.get(name) ?? name;
  // Some models leave shapes open that the data has.
  const infos = graph.inputs.map((info, at) => ({
    ...info,
    name: renamed(info.name),
    dims: inputs[at]?.dims ?? info.dims,
  }));
  const stored = [...known].map((at) => [infos[at]!.name, { ...inputs[at]!, name: infos[at]!.name }] as const);
  return {
    ...model,
    graph: {
      ...graph,
      inputs: infos,
      nodes: graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(renamed) })),
      initializers: new Map([...graph.initializers, ...stored]),
    },
  };
}

/** Sets of inputs to store. Cheapest first: indices and other integers, then real values, then the first input. */
function knownSubsets({ inputs }: NodeTest): readonly (readonly number[])[] {
  const costs = inputs.map(({ dtype }, at) => (elementOfDtype(dtype).kind !== "f32" ? 1 : at === 0 ? 1000 : 100));
  const costOf = (set: readonly number[]): number => set.reduce((sum, at) => sum + costs[at]!, 0);
  const sets = Array.from({ length: 2 ** inputs.length }, (_, bits) =>
    [...inputs.keys()].filter((at) => (bits >> at) % 2 === 1),
  );
  return sets.sort((a, b) => costOf(a) - costOf(b));
}

/**
 * Yields the imports that succeed, with the fewest known inputs first; the other inputs have the label. `alwaysKnown`:
 * inputs that every attempt stores. Returns the diagnostics of the last attempt that was refused.
 */
export function* importAttempts(
  test: NodeTest,
  label: Label = "client",
  alwaysKnown: readonly string[] = [],
): Generator<ImportAttempt, readonly Diagnostic[]> {
  const names = test.model.graph.inputs.map(({ name }) => name);
  let last: readonly Diagnostic[] = [];
  for (const set of knownSubsets(test)) {
    const known = set.map((at) => names[at]!);
    if (!alwaysKnown.every((name) => known.includes(name))) continue;
    const rest = names.filter((name) => !known.includes(name));
    const inputs = new Map(rest.map((name) => [name, label]));
    try {
      yield { imported: importModel(withConstants(test, new Set(set)), { inputs }), knownInputs: known };
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      last = error.diagnostics;
    }
  }
  return last;
}
