import { describe } from "vitest";
import { agreesWithRuntime, type Case, floats, ints, of } from "./one-node.ts";

const transposed: readonly Case[] = [
  { op: "ConvTranspose", inputs: [of(2, 3, 4), of(3, 2, 3), of(2)], attrs: { strides: [3] } },
  {
    op: "ConvTranspose",
    inputs: [of(1, 4, 3, 4), of(4, 3, 3, 2)],
    attrs: { group: 2, strides: [2, 1], pads: [1, 0, 0, 1] },
  },
  { op: "ConvTranspose", inputs: [of(1, 2, 3, 3), of(2, 2, 2, 2)], attrs: { dilations: [2, 3], pads: [2, 3, 1, 0] } },
  { op: "ConvTranspose", inputs: [of(1, 1, 3, 3), of(1, 2, 3, 3)], attrs: { strides: [3, 2], output_padding: [1, 1] } },
  { op: "ConvTranspose", inputs: [of(1, 1, 3, 3), of(1, 2, 3, 3)], attrs: { strides: [3, 2], output_shape: [8, 6] } },
  { op: "ConvTranspose", inputs: [of(1, 1, 5), of(1, 1, 2)], attrs: { pads: [3, 2] } },
];
describe("ConvTranspose", () => agreesWithRuntime(transposed));

const bytes = (shape: number[], seed: number) => ({
  shape,
  dtype: "uint8" as const,
  values: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => (at * 37 + seed) % 11),
});
const integers: readonly Case[] = [
  { op: "MatMulInteger", inputs: [bytes([2, 3], 1), bytes([3, 4], 2)] },
  { op: "MatMulInteger", inputs: [bytes([2, 3], 1), bytes([3, 4], 2), bytes([], 3), bytes([4], 5)] },
  {
    op: "ConvInteger",
    inputs: [bytes([1, 2, 4, 4], 1), bytes([3, 2, 2, 2], 2), bytes([], 3)],
    attrs: { pads: [1, 0, 0, 1] },
  },
];
describe("integers", () => agreesWithRuntime(integers));

const none = undefined;
const image = (...shape: number[]) => of(1, 2, ...shape);
const modes = (mode: string, coordinate: string, more: Case["attrs"] = {}) => ({
  mode,
  coordinate_transformation_mode: coordinate,
  ...more,
});
const nearest = (coordinate: string, rounding = "round_prefer_floor") =>
  modes("nearest", coordinate, { nearest_mode: rounding });
const resizes: readonly Case[] = [
  { op: "Resize", inputs: [image(4, 5), none, floats(1, 1, 0.6, 1.7)], attrs: modes("linear", "half_pixel") },
  { op: "Resize", inputs: [image(4, 5), none, floats(1, 1, 2, 0.5)], attrs: modes("linear", "asymmetric") },
  { op: "Resize", inputs: [image(4, 5), none, none, ints(1, 2, 7, 3)], attrs: modes("linear", "align_corners") },
  { op: "Resize", inputs: [image(4, 5), none, none, ints(1, 2, 1, 3)], attrs: modes("linear", "pytorch_half_pixel") },
  { op: "Resize", inputs: [image(4, 5), none, none, ints(1, 2, 7, 3)], attrs: modes("cubic", "half_pixel") },
  {
    op: "Resize",
    inputs: [image(4, 5), none, none, ints(1, 2, 6, 8)],
    attrs: modes("cubic", "half_pixel", { cubic_coeff_a: { float: -0.5 }, exclude_outside: 1 }),
  },
  {
    op: "Resize",
    inputs: [image(6, 6), none, none, ints(1, 2, 4, 3)],
    attrs: modes("cubic", "half_pixel", { antialias: 1 }),
  },
  {
    op: "Resize",
    inputs: [image(6, 6), none, none, ints(1, 2, 4, 3)],
    attrs: modes("linear", "half_pixel", { antialias: 1 }),
  },
  { op: "Resize", inputs: [image(4, 5), none, floats(1, 1, 2, 3)] },
  {
    op: "Resize",
    inputs: [image(4, 5), none, none, ints(1, 2, 7, 8)],
    attrs: modes("nearest", "asymmetric", { nearest_mode: "floor" }),
  },
  {
    op: "Resize",
    inputs: [image(4, 5), none, none, ints(1, 2, 3, 8)],
    attrs: modes("nearest", "half_pixel", { nearest_mode: "ceil" }),
  },
  {
    op: "Resize",
    inputs: [image(4, 5), none, none, ints(1, 2, 3, 8)],
    attrs: modes("nearest", "half_pixel", { nearest_mode: "round_prefer_ceil" }),
  },
  { op: "Resize", inputs: [image(4, 5), none, floats(2, 2)], attrs: { axes: [3, 2], mode: "linear" } },
  {
    op: "Resize",
    inputs: [image(4, 5), floats(0, 0, 0.4, 0.6, 1, 1, 1.2, 1.4), none, ints(1, 2, 3, 4)],
    attrs: modes("linear", "tf_crop_and_resize", { extrapolation_value: { float: 9 } }),
  },
  {
    op: "Resize",
    inputs: [image(4, 5), none, none, ints(7, 7)],
    attrs: { axes: [2, 3], mode: "linear", keep_aspect_ratio_policy: "not_larger" },
  },
  { op: "Resize", inputs: [image(4, 5), floats(1, 1, 2, 2)], opset: 10 },
  { op: "Upsample", inputs: [image(4, 5), floats(1, 1, 2, 3)], opset: 9 },
  // Where ONNX Runtime is not the ONNX reference, or rounds in single precision: docs/adr/0037-resize-as-onnx-runtime.md.
  { op: "Resize", inputs: [image(4, 5), none, floats(1, 1, 0.6, 1.7)], attrs: modes("linear", "align_corners") },
  { op: "Resize", inputs: [image(4, 5), none, floats(1, 1, 1.3, 0.7)], attrs: modes("nearest", "align_corners") },
  { op: "Resize", inputs: [image(5, 7), none, floats(1, 1, 2, 1.7)], attrs: nearest("pytorch_half_pixel", "ceil") },
  { op: "Resize", inputs: [image(5, 7), none, floats(1, 1, 0.6, 1 / 3)], attrs: nearest("half_pixel_symmetric") },
  { op: "Resize", inputs: [image(5, 1), none, floats(1, 1, 2 / 3, 2.64)], attrs: nearest("asymmetric", "floor") },
  {
    op: "Resize",
    inputs: [image(1, 7), none, none, ints(1, 2, 5, 1)],
    attrs: nearest("tf_half_pixel_for_nn", "round_prefer_ceil"),
  },
  {
    op: "Resize",
    inputs: [image(3, 8), floats(0, 0, 0.4, 0.3, 1, 1, 0.7, 1.1), none, ints(1, 2, 7, 8)],
    attrs: modes("nearest", "tf_crop_and_resize"),
  },
  {
    op: "Resize",
    inputs: [image(4, 4), floats(0, 0, 0.2, 0.1, 1, 1, 0.9, 0.8), floats(1, 1, 1.5, 0.5)],
    attrs: modes("linear", "tf_crop_and_resize"),
  },
  {
    op: "Resize",
    inputs: [image(7, 2), none, floats(1, 1, 1.3, 1.3)],
    attrs: modes("linear", "asymmetric", { antialias: 1 }),
  },
  { op: "Resize", inputs: [image(4, 9), floats(1, 1, 0.75, 0.6)], opset: 10 },
  { op: "Upsample", inputs: [image(2, 5), floats(1, 1, 1.01, 1)], opset: 9 },
];
describe("Resize", () => agreesWithRuntime(resizes));
