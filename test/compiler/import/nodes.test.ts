import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { importModel } from "../../../compiler/onnx/import.ts";
import { loweringOf } from "../../../compiler/onnx/lower/index.ts";
import type { OnnxModel, OnnxTensor } from "../../../compiler/onnx/records.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import { verify } from "../../../ir/verify.ts";
import { describeWith, foldersOf, sharedNodeTests } from "../../harness/shared.ts";
import { readRecorded, runImported, tensorFrom, worst } from "./recorded.ts";

/** Told by a diagnostic, because the compiler does not hold such numbers or has no meaning for such options. */
const refused: readonly RegExp[] = [
  /string|identity_opt/,
  /cast.*(FLOAT8|INT4|INT2|UINT4|UINT2)/,
];
/** A row whose scores are all absent: see the law of clamp-mask. */
const deviates: readonly RegExp[] = [/fullymasked/];

/**
 * The model with some inputs as stored tensors: shapes, axes and the like must be known. They get names as exporters
 * make them up, since a single number called `min` could be a weight.
 */
function withKnown(model: OnnxModel, inputs: readonly OnnxTensor[], known: (at: number) => boolean): OnnxModel {
  const names = model.graph.inputs.map(({ name }) => name);
  const renamed = (name: string): string => (known(names.indexOf(name)) ? `onnx::${name}` : name);
  const nodes = model.graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(renamed) }));
  const graph = {
    ...model.graph,
    nodes,
    inputs: model.graph.inputs.map((each) => ({ ...each, name: renamed(each.name) })),
  };
  const infos = graph.inputs.map((info, at) => ({ ...info, dims: inputs[at]!.dims, dtype: inputs[at]!.dtype }));
  const stored = infos.flatMap(({ name }, at) => (known(at) ? [[name, { ...inputs[at]!, name }] as const] : []));
  return { ...model, graph: { ...graph, inputs: infos, initializers: new Map([...graph.initializers, ...stored]) } };
}

/** As little known as the operator allows. */
const attempts: readonly ((inputs: readonly OnnxTensor[]) => (at: number) => boolean)[] = [
  () => () => false,
  (inputs) => (at) => at > 0 && /int|bool/.test(inputs[at]!.dtype),
  () => (at) => at > 0,
  () => () => true,
];

function check(folder: string): void {
  const { model, inputs, outputs } = readRecorded(folder);
  let last: unknown;
  for (const attempt of attempts) {
    try {
      const imported = importModel(withKnown(model, inputs, attempt(inputs)));
      expect(verify(imported.module)).toEqual([]);
      const fed = new Map(model.graph.inputs.map(({ name }, at) => [name, tensorFrom(inputs[at]!)]));
      const found = runImported(imported, fed);
      for (const [at, { name }] of model.graph.outputs.entries()) {
        const expected = tensorFrom(outputs[at]!);
        // Infinities and NaN are equal to themselves only.
        const odd = expected.data.some((value) => !Number.isFinite(value));
        if (odd) expect([...found.get(name)!.data], name).toEqual([...expected.data]);
        else expect(worst(found.get(name)!, expected), name).toBeLessThan(2e-3);
      }
      return;
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      last = error;
    }
  }
  throw last;
}

describeWith(sharedNodeTests, "single operators of the ONNX project", () => {
  const names = foldersOf(sharedNodeTests);
  describe.each(names)("%s", (name) => {
    const folder = join(sharedNodeTests, name);
    if (refused.some((pattern) => pattern.test(name))) {
      it("is refused", () => expect(() => check(folder)).toThrow(DiagnosticError));
      return;
    }
    if (deviates.some((pattern) => pattern.test(name))) {
      it.skip("a row without any score has no promised result");
      return;
    }
    it("computes what ONNX says, or is named as unknown", () => {
      const { model } = readRecorded(folder);
      const unknown = model.graph.nodes.filter((node) => !loweringOf(node));
      if (unknown.length > 0) expect(() => importModel(model)).toThrow(/MRL0401|MRL0402/);
      else check(folder);
    });
  });
});
