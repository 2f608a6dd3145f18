import { mkdirSync } from "node:fs";
import type { onnx as proto } from "onnx-proto";
import { writeSafetensors } from "../../compiler/tensors/safetensors.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers } from "../end-to-end/tiny-model.ts";
import { npz, type Refused, walk, workFolder } from "./walk.ts";

/* Faults of files and of models: each with a small model that has it, and the same without it. */

const { at, put } = workFolder("models");
const owned = ["--private", "fc*", "--reveal", "*:client"];
mkdirSync(at("calib"));
put(
  "calib/0.npz",
  npz({
    x: [
      [1, 2, 3, 4],
      [-1, 0, 1, 0.5],
    ],
  }),
);
const checking = (model: string, ...options: readonly string[]) => [
  "check",
  model,
  ...owned,
  "--calibrate",
  at("calib"),
  ...options,
];

const fc = floatTensor("fc.weight", [4, 4], numbers(16, 1, 0.5));
const input = [floatInfo("x", 2, 4)];
const output = [floatInfo("y", 2, 4)];
const matmul = (from: string, to: string) => node("MatMul", [from, "fc.weight"], [to], "/fc/MatMul");
/** x[2, 4]·w and whatever `graph` adds or replaces. */
const graphOf = (graph: proto.IGraphProto = {}): proto.IGraphProto => ({
  name: "linear",
  initializer: [fc],
  input,
  output,
  node: [matmul("x", "y")],
  ...graph,
});
const bytesOf = (graph: proto.IGraphProto = {}, extra: proto.IModelProto = {}): Uint8Array =>
  modelBytes(graphOf(graph), extra);
const good = put("good.onnx", bytesOf());
/** A row about a model: what is wrong, and what it is after the advice. */
const model = (
  code: string,
  what: string,
  advice: RegExp,
  wrong: Uint8Array | string,
  right: Uint8Array | string = bytesOf(),
): Refused => ({
  code,
  what,
  advice,
  argv: () => checking(put(`${code}.onnx`, wrong)),
  next: () => checking(put(`${code}.onnx`, right)),
});
const then = (op: string, ...attribute: proto.IAttributeProto[]) => ({
  node: [matmul("x", "h"), { ...node(op, ["h"], ["y"], `/${op}`), attribute }],
});
const ofType = (info: proto.IValueInfoProto, elemType: number): proto.IValueInfoProto => ({
  ...info,
  type: { tensorType: { ...info.type!.tensorType, elemType } },
});
const external = (location: string): Uint8Array =>
  bytesOf({
    initializer: [
      {
        name: "fc.weight",
        dims: [4, 4],
        dataType: 1,
        dataLocation: 1,
        externalData: [{ key: "location", value: location }],
      },
    ],
  });
const float = (name: string, size: number) => ({
  name,
  dtype: "float32" as const,
  shape: [size, size],
  bytes: new Uint8Array(Float32Array.from(numbers(size * size, 9, 0.5)).buffer),
});
const safetensors = writeSafetensors([float("fc.weight", 4)]);
const based = (code: string, what: string, advice: RegExp, wrong: Uint8Array): Refused => ({
  code,
  what,
  advice,
  argv: () => [
    "check",
    good,
    "--base",
    put(`${code}.safetensors`, wrong),
    "--reveal",
    "*:client",
    "--calibrate",
    at("calib"),
  ],
  next: () => [
    "check",
    good,
    "--base",
    put(`${code}.safetensors`, safetensors),
    "--reveal",
    "*:client",
    "--calibrate",
    at("calib"),
  ],
});
const two = (...names: string[]) => names.map((name, k) => floatTensor(name, [4, 4], numbers(16, k + 2, 0.5)));

const files: readonly Refused[] = [
  {
    code: "MRL0101",
    what: "no file",
    argv: () => checking(at("nowhere.onnx")),
    advice: /check the path/,
    next: () => checking(good),
  },
  model("MRL0102", "an empty file", /export the model again|copied/, ""),
  model("MRL0103", "a Git LFS pointer", /git lfs pull/, "version https://git-lfs.github.com/spec/v1\n"),
  model(
    "MRL0104",
    "a node without an operator",
    /export the model again/,
    bytesOf({ node: [{ input: ["x"], output: ["y"] }] }),
  ),
  model("MRL0105", "half a file", /copied completely|download/, bytesOf().subarray(0, 90)),
  model("MRL0107", "text", /export the model again/, "hello, this is not a model at all"),
  model("MRL0108", "no operator set", /operator set 17/, bytesOf({}, { opsetImport: [] })),
  model(
    "MRL0109",
    "complex numbers",
    /float32/,
    bytesOf({ initializer: [{ name: "fc.weight", dims: [1], dataType: 14, rawData: new Uint8Array(8) }] }),
  ),
  model("MRL0110", "functions", /inline/, bytesOf({}, { functions: [{ name: "f" }] })),
  model(
    "MRL0111",
    "a name for two values",
    /export the model again/,
    bytesOf({ node: [matmul("x", "y"), matmul("x", "y")] }),
  ),
  model("MRL0112", "a value from nowhere", /export the model again/, bytesOf({ node: [matmul("elsewhere", "y")] })),
  model(
    "MRL0113",
    "a cycle",
    /export the model again/,
    bytesOf({ node: [matmul("h", "y"), node("Relu", ["y"], ["h"], "/Relu")] }),
  ),
  model(
    "MRL0114",
    "less data than its shape",
    /export the model again/,
    bytesOf({ initializer: [floatTensor("fc.weight", [4, 4], [1])] }),
  ),
  model("MRL0115", "a sparse weight", /dense/, bytesOf({ sparseInitializer: [{ dims: [4, 4], values: fc }] })),
  model("MRL0116", "data outside the folder", /folder of the model or below/, external("../w.data")),
  model("MRL0117", "data that is not there", /copy it to .*w\.data, beside the model/, external("w.data")),
  model(
    "MRL0118",
    "an integer beyond 2^53",
    /below 2\^53/,
    bytesOf({
      initializer: [fc, { name: "shape", dims: [2], dataType: 7, rawData: new Uint8Array(16).fill(0x11) }],
      node: [matmul("x", "h"), node("Reshape", ["h", "shape"], ["y"], "/Reshape")],
    }),
  ),
  based("MRL0130", "a base that is no safetensors file", /save the tensors again|copied/, Uint8Array.of(9, 9, 9)),
  based("MRL0131", "a base with gaps", /save the tensors again/, Uint8Array.of(...safetensors, 0, 0, 0, 0)),
  based(
    "MRL0132",
    "a base of another element type",
    /float32|save the tensors/,
    Buffer.from(Buffer.from(safetensors).toString("latin1").replace('"F32"', '"X32"'), "latin1"),
  ),
];

const models: readonly Refused[] = [
  model(
    "MRL0401",
    "an operator that is unknown",
    /end the model at its logits/,
    bytesOf(then("Multinomial")),
    bytesOf(),
  ),
  {
    code: "MRL0402",
    what: "a dimension without a size",
    argv: () =>
      checking(
        put(
          "open.onnx",
          bytesOf({
            input: [
              {
                name: "x",
                type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: "batch" }, { dimValue: 4 }] } } },
              },
            ],
          }),
        ),
      ),
    advice: /--dim batch=1/,
    next: () => checking(at("open.onnx"), "--dim", "batch=2"),
  },
  {
    code: "MRL0403",
    what: "a dimension that the model does not have",
    argv: () => checking(good, "--dim", "batch=2"),
    advice: /every size of its inputs is fixed/,
    next: () => checking(good),
  },
  model(
    "MRL0404",
    "an operator in a form that is not supported",
    /keep the full length, and mask unused elements with Where or Mul/,
    bytesOf({ node: [matmul("x", "h"), node("NonZero", ["h"], ["y"], "/NonZero")] }),
  ),
  model("MRL0405", "an input of strings", /float32/, bytesOf({ input: [ofType(input[0]!, 8)] })),
  {
    code: "MRL0406",
    what: "an owner of an input that the model does not have",
    argv: () => checking(good, "--input", "tokens:client"),
    advice: /inputs: x/,
    next: () => checking(good, "--input", "x:client"),
  },
  {
    code: "MRL0409",
    what: "a constant for an input of reals",
    argv: () => checking(good, "--fix", "x=1"),
    advice: /leave out this --fix/,
    next: () => checking(good),
  },
  {
    code: "MRL0421",
    what: "nothing private",
    argv: () => ["compile", good, "--reveal", "*:client", "--calibrate", at("calib"), "-o", at("build")],
    advice: /--private <pattern>/,
    next: () => checking(good),
  },
  {
    code: "MRL0422",
    what: "a pattern that no weight matches",
    argv: () => ["check", good, "--private", "head*", "--reveal", "*:client", "--calibrate", at("calib")],
    advice: /fc\.weight/,
    next: () => ["check", good, "--private", "fc.weight", "--reveal", "*:client", "--calibrate", at("calib")],
  },
  {
    code: "MRL0425",
    what: "a private weight that no output needs",
    argv: () => {
      const unused = bytesOf({
        initializer: [fc, ...two("unused.weight")],
        node: [matmul("x", "y"), node("MatMul", ["x", "unused.weight"], ["z"], "/unused/MatMul")],
      });
      return [
        "check",
        put("unused.onnx", unused),
        "--private",
        "fc*",
        "--private",
        "unused*",
        "--reveal",
        "*:client",
        "--calibrate",
        at("calib"),
      ];
    },
    advice: /leave out this --private/,
    next: () => ["check", at("unused.onnx"), "--private", "fc*", "--reveal", "*:client", "--calibrate", at("calib")],
  },
  model(
    "MRL0490",
    "a secret to a power that is computed",
    /Exp\(Mul\(y, Log\(x\)\)\)/,
    bytesOf({
      node: [matmul("x", "h"), node("Sigmoid", ["h"], ["s"], "/Sigmoid"), node("Pow", ["s", "s"], ["y"], "/Pow")],
    }),
    bytesOf({
      initializer: [fc, floatTensor("bias.one", [], [1])],
      node: [
        matmul("x", "h"),
        node("Sigmoid", ["h"], ["s"], "/Sigmoid"),
        node("Add", ["s", "bias.one"], ["b"], "/Add"),
        node("Log", ["b"], ["l"], "/Log"),
        node("Mul", ["s", "l"], ["m"], "/Mul"),
        node("Exp", ["m"], ["y"], "/Exp"),
      ],
    }),
  ),
  model("MRL0502", "rounding of a secret", /replace|without|round/i, bytesOf(then("Floor")), bytesOf()),
  model(
    "MRL0506",
    "a weight with NaN",
    /repair the weight/,
    bytesOf({ initializer: [floatTensor("fc.weight", [4, 4], [Number.NaN, ...numbers(15, 1, 0.5)])] }),
  ),
];

const clipped = (op: string, lo: number, hi: number) =>
  bytesOf({
    initializer: [fc, floatTensor("bias.lo", [], [lo]), floatTensor("bias.hi", [], [hi])],
    node: [
      matmul("x", "h"),
      node("Clip", ["h", "bias.lo", "bias.hi"], ["c"], "/Clip"),
      node(op, ["c"], ["y"], `/${op}`),
    ],
  });
const refusedOperands: readonly Refused[] = [
  model(
    "MRL0521",
    "a logarithm of what may be zero",
    /Clip\(x, min=0\.001\) before this node/,
    bytesOf({
      node: [matmul("x", "h"), node("Relu", ["h"], ["s"], "/Relu"), node("Log", ["s"], ["y"], "/Log")],
    }),
    clipped("Log", 0.001, 9),
  ),
  model(
    "MRL0521",
    "a reciprocal of what may be zero",
    /Clip\(x, min=0\.001\) before this node/,
    bytesOf(then("Reciprocal")),
    clipped("Reciprocal", 0.25, 9),
  ),
];

walk([...refusedOperands, ...files, ...models]);
