import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { fileRuns } from "../../../compiler/compile/file-runs.ts";
import { referenceRuns } from "../../../compiler/compile/reference-runs.ts";
import { loadModel } from "../../../compiler/load/index.ts";
import { compareWithOnnx } from "../../../compiler/run/index.ts";
import { tensor } from "../../../ir/tensor.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-compare-onnx-"));
afterAll(() => rmSync(dir, { recursive: true }));

const [x, w] = [Math.fround(1.1), Math.fround(2.3)];
/** What single precision makes of the product, on the other side of which float64 has it. */
const rounded = Math.fround(x * w);

/** y = 7 where x·w is beyond the threshold, else −3; z is the same decision as an integer. `ours`: what we make of it. */
async function compared(t: number, ours?: { readonly y: number; readonly z: number }) {
  const model = join(dir, `${t}.onnx`);
  const order = x * w > rounded ? "Greater" : "Less";
  const bytes = modelBytes({
    name: "decided",
    initializer: [
      floatTensor("w", [1, 1], [w]),
      floatTensor("t", [1, 1], [t]),
      floatTensor("high", [1], [7]),
      floatTensor("low", [1], [-3]),
    ],
    input: [floatInfo("x", 1, 1)],
    output: [floatInfo("y", 1, 1), { name: "z", type: { tensorType: { elemType: 7 } } }],
    node: [
      node("MatMul", ["x", "w"], ["h"]),
      node(order, ["h", "t"], ["c"]),
      node("Where", ["c", "high", "low"], ["y"]),
      { ...node("Cast", ["c"], ["z"]), attribute: [{ name: "to", type: 2, i: 7 }] },
    ],
  });
  writeFileSync(model, bytes);
  const options = resolveModelOptions({ model, reveal: { y: "client", z: "client" } });
  const loaded = loadModel(options, { allowAllPublic: true });
  const sample = new Map([[loaded.imported.inputs.get("x")!, tensor([1, 1], [x])]]);
  const { runs, ...rest } = fileRuns(loaded, options, referenceRuns(loaded, [sample], 1));
  const changed = runs.map(({ inputs, outputs }) => ({
    inputs,
    outputs: ours
      ? new Map(Object.entries(ours).map(([name, value]) => [name, tensor([1, 1], [value])] as const))
      : outputs,
  }));
  // As if our own order of operations rounded to float64's side, where ONNX Runtime's does not.
  const found = await compareWithOnnx({ ...rest, runs: changed, rounded: ({ outputs }) => outputs });
  if ("unavailable" in found) throw new Error(found.unavailable);
  return found.outputs;
}

test("a decision that rounding to single precision may lead either way is no other meaning", async () => {
  for (const { difference, allowed } of await compared(rounded)) expect(difference).toBeLessThanOrEqual(allowed);
});

test("far from the threshold it is, and so is any difference of integers", async () => {
  const below = rounded / 2;
  const ours = x * w > rounded ? { y: -3, z: 0 } : { y: 7, z: 1 };
  const found = await compared(below, ours);
  expect(found).toMatchObject([
    { output: "y", difference: 10, largest: Math.abs(ours.y) },
    { output: "z", difference: 1, allowed: 0, largest: 0 },
  ]);
});
