import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { importModel } from "../../../compiler/onnx/import/import-model.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { readInputFiles } from "../../../compiler/run/input-files.ts";
import { openOnnxSession } from "../../../compiler/run/onnx-session.ts";
import { writeNpz } from "../../../compiler/tensors/npz.ts";
import { type Tensor, tensor } from "../../../ir/tensor.ts";
import { sizeOf } from "../../../ir/type.ts";
import { declaredError } from "../../../scripts/tables/declared-error.ts";
import { build, queryOnce } from "../../end-to-end/compiled.ts";
import { largestDifference } from "../../end-to-end/declared-error.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { countOps, runImported, worst } from "../onnx/import/recorded.ts";

const folder = join(import.meta.dirname, "../../../fixtures/nets");
export const netFile = (name: string): string => join(folder, `${name}.onnx`);

/** Token inputs of the table; every position counts. */
function whole(name: string, shape: readonly number[], seed: number): Tensor {
  const count = sizeOf(shape);
  const isMask = name.includes("mask");
  return tensor(shape, isMask ? Array(count).fill(1) : numbers(count, seed, 1).map((x) => Math.floor(5.5 + 5 * x)));
}

/** An input file with numbers in ±1 for every input of a net. */
function drawInput(name: string, file: string, seed: number): ReadonlyMap<string, Tensor> {
  const { graph } = readModel(netFile(name));
  const inputs = graph.inputs.filter((input) => !graph.initializers.has(input.name));
  const drawn = inputs.map(({ name: input, dims, dtype }, at) => {
    const shape = dims as readonly number[];
    const isReal = dtype === "float32";
    const each = isReal ? tensor(shape, numbers(sizeOf(shape), 10 * seed + at, 1)) : whole(input, shape, seed);
    return [input, { dtype: isReal ? ("float32" as const) : ("int64" as const), tensor: each }] as const;
  });
  writeFileSync(file, writeNpz(new Map(drawn)));
  return new Map(drawn.map(([input, each]) => [input, each.tensor]));
}

interface Expected {
  readonly inputs: ReadonlyMap<string, Tensor>;
  readonly file: string;
  /** What onnxruntime computes. */
  readonly scores: Tensor;
}

async function expectedOf(name: string, dir: string): Promise<Expected> {
  const file = join(dir, `${name}.npz`);
  const inputs = drawInput(name, file, 1);
  const part = await openOnnxSession(netFile(name));
  const outputs = await part.run(readInputFiles([file]));
  await part.release();
  return { inputs, file, scores: outputs.get("scores")!.tensor };
}

/** How far the imported net is from onnxruntime. */
function importError(name: string, { inputs, scores }: Expected): number {
  const imported = importModel(readModel(netFile(name)));
  return worst(runImported(imported, inputs).get("scores")!, scores);
}

/** Compiles a net, every weight private, and asks three parties. */
async function shared(name: string, dir: string, { file, scores }: Expected) {
  const calibrate = join(dir, `${name}-calibration`);
  mkdirSync(calibrate, { recursive: true });
  for (const seed of [2, 3, 4]) drawInput(name, join(calibrate, `${seed}.npz`), seed);
  const [out, model] = [join(dir, `${name}-build`), netFile(name)];
  const { module } = build(out, {
    model,
    // Public values for measuring ranges; the weights are private nonetheless.
    base: model,
    private: ["*"],
    reveal: { scores: "client" },
    calibrate,
  });
  const { outputs, report } = await queryOnce(out, [file]);
  const found = outputs.get("scores")!;
  return { module, report, error: largestDifference(found.data, scores.data), bound: await declaredError(out, file) };
}

/** Operators of the secure part, with their counts. */
export type Nets = Readonly<Record<string, Readonly<Record<string, number>>>>;

/**
 * The interpreter computes what onnxruntime does, and three parties who share every weight and input stay within the
 * error that they declare, with the traffic that was counted.
 */
export function checkNets(dir: string, nets: Nets): void {
  it.each(
    Object.entries(nets),
  )("%s equals onnxruntime, and is within the declared error on shares", async (name, counts) => {
    const expected = await expectedOf(name, dir);
    expect(importError(name, expected)).toBeLessThan(1e-5);
    const { module, report, error, bound } = await shared(name, dir, expected);
    expect(error).toBeLessThan(bound);
    // The bound is meaningful.
    expect(bound).toBeLessThan(Math.max(...expected.scores.data.map(Math.abs)) / 4);
    expect(report.measured).toEqual(report.predicted);
    expect(countOps({ module })).toMatchObject(counts);
  });
}
