import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { readInputFiles } from "../../../compiler/run/input-files.ts";
import { openOnnxSession } from "../../../compiler/run/onnx-session.ts";
import { writeNpz } from "../../../compiler/tensors/npz.ts";
import { type Tensor, tensor } from "../../../ir/tensor.ts";
import { sizeOf } from "../../../ir/type.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { floatInfo, modelBytes } from "../onnx/format/build-model.ts";
import type { TrainedNet } from "./trained-nets.ts";

/** Input number `at` of a net. */
export function drawInput({ input, tokens }: TrainedNet, at: number): Tensor {
  const drawn = numbers(sizeOf(input), 1000 + at, 1);
  return tensor(
    input,
    drawn.map((x) => (tokens === undefined ? 2 * x : Math.floor(((x + 1) / 2) * tokens))),
  );
}

export interface TrainedFiles {
  readonly model: string;
  readonly calibrate: string;
  /** An input that no calibration saw. */
  readonly input: string;
}

/** The net with other numbers in its weights of reals. */
export const withWeights = (
  net: TrainedNet,
  change: (value: number, at: number, name: string) => number,
): TrainedNet => ({
  ...net,
  weights: net.weights.map((weight) =>
    weight.floatData ? { ...weight, floatData: weight.floatData.map((x, at) => change(x, at, weight.name!)) } : weight,
  ),
});

/** Writes a net, its calibration inputs and another input into a folder. */
export function writeTrained(dir: string, net: TrainedNet): TrainedFiles {
  const files = { model: join(dir, "model.onnx"), calibrate: join(dir, "calib"), input: join(dir, "x.npz") };
  mkdirSync(files.calibrate, { recursive: true });
  const given = net.tokens === undefined ? floatInfo("x", ...net.input) : tokenInfo("x", net.input);
  const [weights, nodes] = [[...net.weights], [...net.nodes]];
  const output = [floatInfo("y", ...net.output)];
  writeFileSync(files.model, modelBytes({ name: "g", initializer: weights, input: [given], output, node: nodes }));
  const dtype = net.tokens === undefined ? "float32" : "int64";
  const write = (file: string, at: number): void =>
    writeFileSync(file, writeNpz(new Map([["x", { dtype, tensor: drawInput(net, at) }]])));
  for (let at = 1; at <= 8; at++) write(join(files.calibrate, `${at}.npz`), at);
  write(files.input, 0);
  return files;
}

const tokenInfo = (name: string, dims: readonly number[]): proto.IValueInfoProto => ({
  name,
  type: { tensorType: { elemType: 7, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
});

/** What onnxruntime computes for an output. */
export async function floatResult(model: string, input: string, output = "y"): Promise<Float64Array> {
  const session = await openOnnxSession(model);
  const { tensor: found } = (await session.run(readInputFiles([input]))).get(output)!;
  await session.release();
  return found.data;
}
