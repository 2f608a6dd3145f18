import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { writeNpz } from "../../compiler/tensors/npz.ts";
import { tensor } from "../../ir/tensor.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers } from "./tiny-model.ts";

/** Channels and extents of the image, and of the layers behind it. */
export const image = [1, 3, 9, 9] as const;
const [first, second, classes] = [4, 8, 5];

type Value = number | readonly number[];
const attribute = ([name, value]: readonly [string, Value]): proto.IAttributeProto =>
  typeof value === "number" ? { name, type: 2, i: value } : { name, type: 7, ints: [...value] };

const size = (dims: readonly number[]): number => dims.reduce((product, extent) => product * extent, 1);
const weight = (name: string, dims: number[], seed: number, bound: number): proto.ITensorProto =>
  floatTensor(name, dims, numbers(size(dims), seed, bound));

/** Gain, shift, mean and variance of each channel; variances are positive. */
const normalisation = (name: string, channels: number, seed: number): readonly proto.ITensorProto[] => [
  floatTensor(
    `${name}.weight`,
    [channels],
    numbers(channels, seed, 0.5).map((x) => 1 + x),
  ),
  weight(`${name}.bias`, [channels], seed + 1, 0.5),
  weight(`${name}.running_mean`, [channels], seed + 2, 0.5),
  floatTensor(
    `${name}.running_var`,
    [channels],
    numbers(channels, seed + 3, 0.5).map((x) => 1 + x),
  ),
];

/**
 * image → conv 3×3, normalised, relu → maxima of 2×2 → depthwise conv by 2, normalised, relu → conv 1×1 in two groups
 * → means over 2×2, whose padding does not count → classes. `tuned` gives the first kernels and the last layer.
 */
function model(seed: number, tuned: number): Uint8Array {
  const nodes: proto.INodeProto[] = [];
  const write = (
    op: string,
    inputs: string[],
    attrs: Record<string, Value> = {},
    output = `t${nodes.length}`,
  ): string => {
    nodes.push({
      ...node(op, inputs, [output], `/${op}_${nodes.length}`),
      attribute: Object.entries(attrs).map(attribute),
    });
    return output;
  };
  const norm = (x: string, name: string): string =>
    write("BatchNormalization", [
      x,
      ...["weight", "bias", "running_mean", "running_var"].map((part) => `${name}.${part}`),
    ]);

  const wide = norm(write("Conv", ["image", "conv1.weight", "conv1.bias"], { pads: [1, 1, 1, 1] }), "bn1");
  const pooled = write("MaxPool", [write("Relu", [wide])], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 });
  const depthwise = write("Conv", [pooled, "conv2.weight"], { pads: [1, 1, 1, 1], strides: [2, 2], group: first });
  const mixed = write("Conv", [write("Relu", [norm(depthwise, "bn2")]), "conv3.weight"], { group: 2 });
  const means = write("AveragePool", [mixed], { kernel_shape: [2, 2], strides: [2, 2], pads: [1, 1, 0, 0] });
  write("Gemm", [write("Flatten", [means]), "fc.weight", "fc.bias"], { transB: 1 }, "scores");
  return modelBytes({
    name: "cnn",
    initializer: [
      weight("conv1.weight", [first, 3, 3, 3], tuned, 0.4),
      weight("conv1.bias", [first], seed + 1, 0.4),
      ...normalisation("bn1", first, seed + 2),
      weight("conv2.weight", [first, 1, 3, 3], seed + 6, 0.6),
      ...normalisation("bn2", first, seed + 7),
      weight("conv3.weight", [second, first / 2, 1, 1], seed + 11, 0.8),
      weight("fc.weight", [classes, second * 4], tuned + 12, 0.5),
      weight("fc.bias", [classes], tuned + 13, 0.5),
    ],
    input: [floatInfo("image", ...image)],
    output: [floatInfo("scores", 1, classes)],
    node: nodes,
  });
}

export interface CnnFiles {
  readonly model: string;
  /** What ranges are measured with: with other numbers in the first kernels and the last layer. */
  readonly base: string;
  readonly input: string;
  readonly calibrate: string;
}

/** Writes the model, its base, an image and calibration images into a folder. */
export function writeCnn(dir: string): CnnFiles {
  const files = {
    model: join(dir, "cnn.onnx"),
    base: join(dir, "base.onnx"),
    input: join(dir, "image.npz"),
    calibrate: join(dir, "calibration"),
  };
  mkdirSync(files.calibrate, { recursive: true });
  writeFileSync(files.model, model(21, 21));
  writeFileSync(files.base, model(21, 61));
  const picture = (seed: number) =>
    writeNpz(new Map([["image", { dtype: "float32", tensor: tensor([...image], numbers(size(image), seed, 1)) }]]));
  writeFileSync(files.input, picture(3));
  for (const seed of [4, 5, 6]) writeFileSync(join(files.calibrate, `${seed}.npz`), picture(seed));
  return files;
}
