import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../compiler/api/compile.ts";
import type { ModelOptions } from "../../compiler/api/model-options.ts";
import { run } from "../../compiler/api/run.ts";
import { openOnnxSession } from "../../compiler/run/onnx-session.ts";
import { type NpyDtype, type TypedTensor, writeNpz } from "../../compiler/tensors/index.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers } from "./tiny-model.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-server-models-"));
afterAll(() => rmSync(dir, { recursive: true }));

type Graph = Parameters<typeof modelBytes>[0];
const info = (name: string, elemType: number, ...dims: readonly number[]) => ({
  name,
  type: { tensorType: { elemType, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
});
const floats = (shape: readonly number[], seed: number, size = 2): TypedTensor => ({
  dtype: "float32",
  tensor: {
    shape: [...shape],
    data: Float64Array.from(
      numbers(
        shape.reduce((a, b) => a * b, 1),
        seed,
        size,
      ),
    ),
  },
});
const whole = (dtype: "int64" | "bool", shape: readonly number[], values: readonly number[]): TypedTensor => ({
  dtype,
  tensor: { shape: [...shape], data: Float64Array.from(values) },
});

interface Case {
  readonly what: string;
  readonly graph: Graph;
  /** The inputs of a query; b… are the server's. */
  readonly inputs: (seed: number) => Readonly<Record<string, TypedTensor>>;
  readonly options?: Partial<ModelOptions>;
  /** The model itself is the base: what no pattern names is public. */
  readonly hasBase?: boolean;
  /** Tensors that the server shares. */
  readonly shares: readonly string[];
}

const matrix = floatTensor("encoder.weight", [4, 3], numbers(12, 5, 0.7));
const cases: readonly Case[] = [
  {
    what: "embeddings compared by their cosine: each party encodes and normalizes its own in the clear",
    graph: {
      name: "cosine",
      initializer: [matrix],
      input: [floatInfo("a", 2, 4), floatInfo("b", 2, 4)],
      output: [floatInfo("y", 2, 1)],
      node: [
        node("MatMul", ["a", "encoder.weight"], ["ea"], "/encoder/a"),
        node("MatMul", ["b", "encoder.weight"], ["eb"], "/encoder/b"),
        node("LpNormalization", ["ea"], ["na"], "/norm/a"),
        node("LpNormalization", ["eb"], ["nb"], "/norm/b"),
        node("Mul", ["na", "nb"], ["product"], "/Mul"),
        node("ReduceSum", ["product", "axes"], ["y"], "/Sum"),
      ],
    },
    inputs: (seed) => ({ a: floats([2, 4], seed), b: floats([2, 4], seed + 50) }),
    hasBase: true,
    shares: ["nb"],
  },
  {
    what: "a model without any weight",
    graph: {
      name: "product",
      input: [floatInfo("a", 2, 4), floatInfo("b", 2, 4)],
      output: [floatInfo("y", 2, 4)],
      node: [node("Mul", ["a", "b"], ["y"], "/Mul")],
    },
    inputs: (seed) => ({ a: floats([2, 4], seed), b: floats([2, 4], seed + 50) }),
    shares: ["b"],
  },
  {
    what: "rows of the client's table at the server's indices: the server shares one-hot rows",
    graph: {
      name: "rows",
      initializer: [floatTensor("w", [4, 3], numbers(12, 6, 0.6))],
      input: [floatInfo("a", 5, 4), info("b", 7, 2)],
      output: [floatInfo("y", 2, 3)],
      node: [node("MatMul", ["a", "w"], ["table"], "/table"), node("Gather", ["table", "b"], ["y"], "/Gather")],
    },
    inputs: (seed) => ({ a: floats([5, 4], seed), b: whole("int64", [2], [seed % 5, (seed + 2) % 5]) }),
    options: { private: ["w"] },
    hasBase: true,
    shares: ["b"],
  },
  {
    what: "a mask of the server's on scores, with -inf where it hides",
    graph: {
      name: "masked",
      initializer: [floatTensor("w", [4, 4], numbers(16, 7, 0.6))],
      input: [floatInfo("a", 2, 4), floatInfo("b", 2, 4)],
      output: [floatInfo("y", 2, 4)],
      node: [
        node("MatMul", ["a", "w"], ["scores"], "/scores"),
        node("Add", ["scores", "b"], ["hidden"], "/Add"),
        node("Softmax", ["hidden"], ["y"], "/Softmax"),
      ],
    },
    inputs: (seed) => ({
      a: floats([2, 4], seed),
      b: { dtype: "float32", tensor: { shape: [2, 4], data: Float64Array.of(0, 0, -1e30, 0, -1e30, 0, 0, -1e30) } },
    }),
    options: { private: ["w"] },
    hasBase: true,
    shares: ["b"],
  },
  {
    what: "the server's layers with private weights stay in the clear up to where both meet",
    graph: {
      name: "towers",
      initializer: [
        floatTensor("client_tower.weight", [4, 3], numbers(12, 8, 0.7)),
        floatTensor("server_tower.weight", [6, 3], numbers(18, 9, 0.7)),
        floatTensor("top.weight", [3, 2], numbers(6, 10, 0.7)),
      ],
      input: [floatInfo("a", 2, 4), floatInfo("b", 2, 6)],
      output: [floatInfo("y", 2, 2)],
      node: [
        node("MatMul", ["a", "client_tower.weight"], ["ha"], "/client_tower/MatMul"),
        node("Tanh", ["ha"], ["ta"], "/client_tower/Tanh"),
        node("MatMul", ["b", "server_tower.weight"], ["hb"], "/server_tower/MatMul"),
        node("Tanh", ["hb"], ["tb"], "/server_tower/Tanh"),
        node("Add", ["ta", "tb"], ["both"], "/Add"),
        node("Relu", ["both"], ["active"], "/Relu"),
        node("MatMul", ["active", "top.weight"], ["y"], "/top/MatMul"),
      ],
    },
    inputs: (seed) => ({ a: floats([2, 4], seed), b: floats([2, 6], seed + 50) }),
    options: { private: ["server_tower.*", "top.*"] },
    hasBase: true,
    shares: ["tb"],
  },
];

describe.each(["2pc-dealer", "3pc"] as const)("%s", (setting) => {
  test.each(cases)("$what", async ({ graph, inputs, options, hasBase, shares }) => {
    const own = join(dir, `${graph.name}-${setting}`);
    const calibrate = join(own, "calibration");
    mkdirSync(calibrate, { recursive: true });
    const model = join(own, "model.onnx");
    const axes = { name: "axes", dataType: 7, dims: [1], rawData: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) };
    writeFileSync(model, modelBytes({ ...graph, initializer: [...(graph.initializer ?? []), axes] }));
    for (let seed = 1; seed <= 6; seed++) {
      const sample = Object.entries(inputs(seed)) as [string, TypedTensor & { readonly dtype: NpyDtype }][];
      writeFileSync(join(calibrate, `${seed}.npz`), writeNpz(new Map(sample)));
    }
    const build = join(own, "build");
    const { manifest } = await compile({
      model,
      ...(hasBase && { base: model }),
      ...options,
      inputs: { b: "server" },
      reveal: { y: "both" },
      calibrate,
      setting,
      output: build,
    });
    expect(manifest.serverCuts!.map(({ tensor }) => tensor)).toEqual(shares);
    const query = inputs(23);
    const plain = await openOnnxSession(model);
    const expected = (await plain.run(new Map(Object.entries(query)))).get("y")!.tensor.data;
    await plain.release();
    const given = Object.fromEntries(Object.entries(query).map(([name, { tensor }]) => [name, tensor]));
    for (const how of [{ inProcess: true }, { plain: true }]) {
      const { outputs, serverOutputs } = await run({ build, inputs: given, ...how });
      const worst = Math.max(...expected.map((x, k) => Math.abs(x - outputs.y!.data[k]!)));
      expect(worst).toBeLessThan(2 ** -7);
      expect(serverOutputs!.y).toEqual(outputs.y);
    }
  });
});
