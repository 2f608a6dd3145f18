import { cpSync, mkdirSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeModel } from "../../compiler/onnx/format/decode-model.ts";
import { type BoundaryType, extractSubgraph } from "../../compiler/onnx/format/extract-subgraph.ts";
import { runtimeVariable } from "../../compiler/run/onnx-runtime.ts";
import { openSafetensors, readSafetensor, writeSafetensors } from "../../compiler/tensors/safetensors.ts";
import { marillc } from "../cli/run-cli.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers } from "../end-to-end/tiny-model.ts";
import { npz, optionIn, type Refused, walk, workFolder } from "./walk.ts";

/* Codes that few users meet: limits of a file, adapters that do not fit, precision, settings, presets, folders. */

const { at, put } = workFolder("rare");
mkdirSync(at("calib"));
put("calib/0.npz", npz({ x: [numbers(4, 1, 1), numbers(4, 2, 1)] }));

/** x[2, 4]·w, and what else the graph has. */
function model(name: string, graph: proto.IGraphProto = {}, version = 17): string {
  return put(
    name,
    modelBytes(
      {
        name: "rare",
        initializer: [floatTensor("fc.weight", [4, 4], numbers(16, 1, 0.5))],
        input: [floatInfo("x", 2, 4)],
        output: [floatInfo("y", 2, 4)],
        node: [node("MatMul", ["x", "fc.weight"], ["y"], "/fc/MatMul")],
        ...graph,
      },
      { opsetImport: [{ domain: "", version }] },
    ),
  );
}
const single = model("single.onnx");
const owned = ["--private", "*", "--reveal", "*:client", "--calibrate", at("calib")];
const checked = (file: string, ...options: readonly string[]) => ["check", file, ...owned, "--no-verify", ...options];

/** A branch inside a branch: each takes three levels of messages. */
function nested(levels: number): proto.INodeProto {
  if (levels === 0) return node("MatMul", ["x", "fc.weight"], ["y"], "/fc/MatMul");
  const g = { name: "inner", node: [nested(levels - 1)], output: [floatInfo("y", 2, 4)] };
  return { ...node("If", ["c"], ["y"], `/if${levels}`), attribute: [{ name: "then_branch", type: 5, g }] };
}

/** One stored matrix in the role of `count` parameters. */
const merged = (count: number, width: number): proto.IGraphProto => ({
  initializer: [floatTensor("fc.weight", [width, width], numbers(width * width, 1, 0.1))],
  input: [floatInfo("x", 1, width)],
  output: [floatInfo("y", 1, width)],
  node: Array.from({ length: count }, (_, k) =>
    node("MatMul", [k === 0 ? "x" : `h${k}`, "fc.weight"], [k + 1 === count ? "y" : `h${k + 1}`], `/l${k}/MatMul`),
  ),
});

const sine = model("sine.onnx", {
  node: [node("MatMul", ["x", "fc.weight"], ["h"], "/fc/MatMul"), node("Sin", ["h"], ["y"], "/Sin")],
});
const sineBefore = model("sine-before.onnx", {
  node: [node("Sin", ["x"], ["h"], "/Sin"), node("MatMul", ["h", "fc.weight"], ["y"], "/fc/MatMul")],
});
const nets = (name: string): string => resolve(import.meta.dirname, "../../fixtures/nets", name);
const withInputs = nets("lora-inputs.onnx");
put("x.json", JSON.stringify({ schema: 1, values: [{ name: "x", lo: -4, hi: 4 }] }));

/** softmax(q·qᵀ + mask)·q with a mask that the client gives. */
const masked = model(
  "masked.onnx",
  {
    initializer: [
      floatTensor("fc.weight", [4, 4], numbers(16, 1, 0.5)),
      { name: "axes", dims: [2], dataType: 7, int64Data: [0, 1] },
    ],
    input: [floatInfo("x", 2, 4), floatInfo("mask", 2, 2)],
    node: [
      node("MatMul", ["x", "fc.weight"], ["h"], "/fc/MatMul"),
      node("Unsqueeze", ["h", "axes"], ["q"], "/Unsqueeze"),
      node("Attention", ["q", "q", "q", "mask"], ["z"], "/Attention"),
      node("Squeeze", ["z", "axes"], ["y"], "/Squeeze"),
    ],
  },
  23,
);
mkdirSync(at("masked"));
put("masked/0.npz", npz({ x: [numbers(4, 1, 1), numbers(4, 2, 1)], mask: [numbers(2, 1, 1), numbers(2, 2, 1)] }));
const attending = (...options: readonly string[]) => [
  ...["check", masked, "--private", "*", "--reveal", "*:client", "--calibrate", at("masked"), "--no-verify"],
  ...options,
];

/** A PEFT folder with low-rank halves of the layer `fc`. */
function adapter(name: string, size: number): string {
  mkdirSync(at(name), { recursive: true });
  const config = { peft_type: "LORA", r: 2, lora_alpha: 2, target_modules: ["fc"], bias: "none" };
  put(`${name}/adapter_config.json`, JSON.stringify(config));
  const half = (half: string, shape: readonly number[]) => ({
    ...{ name: `base_model.model.fc.${half}.weight`, dtype: "float32" as const, shape },
    bytes: new Uint8Array(Float32Array.from(numbers(8, 5, size)).buffer),
  });
  put(`${name}/adapter_model.safetensors`, writeSafetensors([half("lora_A", [2, 4]), half("lora_B", [4, 2])]));
  return at(name);
}
const [small, large] = [adapter("small", 0.05), adapter("large", 0.3)];
const adapted = (...options: readonly string[]) => [
  ...["check", single, "--reveal", "*:client", "--calibrate", at("calib"), "--no-verify"],
  ...options,
];

const build = at("build");
const asked = ["run", build, "--in-process", "--plain", "--input", at("calib/0.npz")];
beforeAll(async () => {
  await marillc("compile", single, ...owned, "--no-verify", "-o", build);
});
afterAll(() => {
  delete process.env[runtimeVariable];
});

const refusals: readonly Refused[] = [
  {
    code: "MRL0106",
    what: "branches that nest deeper than any model's",
    argv: () => checked(model("deep.onnx", { node: [nested(22)] })),
    advice: /side by side/,
    next: () => checked(single),
  },
  {
    code: "MRL0433",
    what: "one stored matrix for more parameters than exporters merge",
    argv: () => checked(model("merged.onnx", merged(60, 256))),
    advice: /a stored tensor for each of its parameters/,
    next: () => checked(single),
  },
  {
    code: "MRL0430",
    what: "parameters of another model's adapter",
    argv: () => ["check", single, "--adapter", nets("lora.onnx_adapter"), "--reveal", "*:client"],
    advice: /belongs to another model/,
    next: () => [
      "check",
      withInputs,
      "--adapter",
      nets("lora.onnx_adapter"),
      "--reveal",
      "*:client",
      "--ranges",
      at("x.json"),
    ],
  },
  {
    code: "MRL0508",
    what: "too few bits of weights, by hand",
    argv: () => ["check", single, ...owned, "--precision", "weight=1"],
    advice: /--quality precise, and without --precision/,
    next: () => ["check", single, ...owned, "--quality", "precise"],
  },
  {
    code: "MRL0520",
    what: "an operator that no protocol computes",
    argv: () => checked(sine),
    advice: /keep the operator on public values/,
    next: () => checked(sineBefore),
  },
  {
    code: "MRL0495",
    what: "a mask that a preset's softmax is not defined for",
    argv: () => attending("--preset", "mpcformer"),
    advice: /--preset marill/,
    next: (help) => attending(...optionIn(help, "--preset")),
  },
  {
    code: "MRL0435",
    what: "published bounds that tell which adapter is used",
    argv: () => adapted("--publish-ranges", "--adapter", `a=${small}`, "--adapter", `b=${large}`),
    advice: /without publishing ranges.*a build for each adapter/,
    next: () => adapted("--adapter", `a=${small}`, "--adapter", `b=${large}`),
  },
  {
    code: "MRL0435",
    what: "the same: a build for each",
    argv: () => adapted("--publish-ranges", "--adapter", `a=${small}`, "--adapter", `b=${large}`),
    advice: /a build for each adapter/,
    next: () => adapted("--publish-ranges", "--adapter", large),
  },
  {
    code: "MRL0615",
    what: "the client's folder in the place of the server's",
    argv: () => {
      cpSync(build, at("mixed"), { recursive: true });
      rmSync(at("mixed/server"), { recursive: true });
      cpSync(at("mixed/client"), at("mixed/server"), { recursive: true });
      return asked.map((word) => (word === build ? at("mixed") : word));
    },
    advice: /name the directory that `marillc compile -o` wrote/,
    next: () => asked,
  },
  {
    code: "MRL0815",
    what: "a build of ONNX Runtime that does not exist",
    argv: () => {
      process.env[runtimeVariable] = "gpu";
      return ["check", single, ...owned];
    },
    advice: /leave MARILLC_ONNX_RUNTIME unset, set it to wasm/,
    next: () => {
      process.env[runtimeVariable] = "wasm";
      return ["check", single, ...owned];
    },
  },
];

walk(refusals);

test("MRL0134: a tensor that a file lacks, and the same from the file that has it", () => {
  const bytes = new Uint8Array(Float32Array.from(numbers(4, 1, 1)).buffer);
  put("one.safetensors", writeSafetensors([{ name: "one", dtype: "float32", shape: [4], bytes }]));
  const store = openSafetensors(at("one.safetensors"));
  expect(codesOf(() => readSafetensor(store, "two"))).toEqual(["MRL0134"]);
  expect(codesOf(() => readSafetensor(store, "one"))).toEqual([]);
});

test("MRL0121: a cut at a value without a type, and the same with the type that the compiler knows", () => {
  const untyped = modelBytes({ name: "g", input: [{ name: "x" }], node: [node("Abs", ["x"], ["y"])] });
  const cut = (types: ReadonlyMap<string, BoundaryType>) => () =>
    extractSubgraph(decodeModel(untyped, "g"), ["x"], ["y"], { name: "cut", types });
  expect(codesOf(cut(new Map()))).toEqual(["MRL0121"]);
  const type: BoundaryType = { dtype: "float32", dims: [3] };
  const typed = new Map(["x", "y"].map((name) => [name, type]));
  expect(codesOf(cut(typed))).toEqual([]);
});
