import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { afterAll, expect, test } from "vitest";
import { compile } from "../../../compiler/api/compile.ts";
import { run } from "../../../compiler/api/run.ts";
import { type NpyDtype, type TypedTensor, writeNpz } from "../../../compiler/tensors/index.ts";
import { tensor } from "../../../ir/tensor.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";

/* Models of a few nodes, every weight private and no base, that were wrong, undeclared or refused. */
const dir = mkdtempSync(join(tmpdir(), "marillc-small-"));
afterAll(() => rmSync(dir, { recursive: true }));

type Stored = TypedTensor & { readonly dtype: NpyDtype };
const real = (shape: readonly number[], data: readonly number[]): Stored => ({
  dtype: "float32",
  tensor: tensor(shape, [...data]),
});

/** Compiles with the samples, and answers a query. */
async function built(name: string, graph: proto.IGraphProto, samples: readonly Readonly<Record<string, Stored>>[]) {
  const model = join(dir, `${name}.onnx`);
  writeFileSync(model, modelBytes({ name, ...graph }));
  const calibrate = join(dir, `${name}-calib`);
  mkdirSync(calibrate);
  for (const [k, sample] of samples.entries())
    writeFileSync(join(calibrate, `${k}.npz`), writeNpz(new Map(Object.entries(sample))));
  const output = join(dir, name);
  const { manifest } = await compile({ model, private: ["*"], calibrate, reveal: { y: "client" }, output });
  const ask = async (inputs: Parameters<typeof run>[0]["inputs"]) =>
    (await run({ build: output, inputs: inputs!, inProcess: true })).outputs.y!.data;
  return { declared: manifest.errors?.[0]?.declared, ask };
}

test("the rounding of a single element is declared, though no sample shows it", async () => {
  const { declared, ask } = await built(
    "single",
    {
      initializer: [floatTensor("w", [1, 1], [7.5])],
      input: [floatInfo("x", 1, 1)],
      output: [floatInfo("y", 1, 1)],
      node: [node("MatMul", ["x", "w"], ["y"], "/w")],
    },
    [0.25, -0.5, 0.75].map((x) => ({ x: real([1, 1], [x]) })),
  );
  for (const x of [0.1, 0.333, -0.00076]) {
    const [y] = await ask({ x: { shape: [1, 1], data: Float64Array.of(x) } });
    expect(Math.abs(y! - 7.5 * Math.fround(x))).toBeLessThan(declared!);
  }
});

test("a truth value of the client's that selects has a declared error too", async () => {
  const { declared } = await built(
    "mask",
    {
      initializer: [floatTensor("w", [4, 4], numbers(16, 1, 0.5)), floatTensor("no", [1], [-3.3])],
      input: [
        floatInfo("x", 2, 4),
        { name: "m", type: { tensorType: { elemType: 9, shape: { dim: [{ dimValue: 2 }, { dimValue: 4 }] } } } },
      ],
      output: [floatInfo("y", 2, 4)],
      node: [node("MatMul", ["x", "w"], ["h"], "/w"), node("Where", ["m", "h", "no"], ["y"], "/mask")],
    },
    [3, 4].map((seed) => ({
      x: real([2, 4], numbers(8, seed, 1)),
      m: { dtype: "bool", tensor: tensor([2, 4], [1, 0, 1, 1, 0, 0, 1, 0]) },
    })),
  );
  expect(declared).toBeGreaterThan(0);
});

test.each([2, 3])("a stored exponent %s is a formula, not a weight", async (exponent) => {
  const x = numbers(8, 3, 1).map((value) => Math.abs(value) + 0.5);
  const { declared, ask } = await built(
    `power${exponent}`,
    {
      initializer: [
        floatTensor(
          "w",
          [4, 4],
          Array.from({ length: 16 }, (_, k) => (k % 5 === 0 ? 1.25 : 0.125)),
        ),
        floatTensor("exponent", [], [exponent]),
      ],
      input: [floatInfo("x", 2, 4)],
      output: [floatInfo("y", 2, 4)],
      node: [node("MatMul", ["x", "w"], ["h"], "/w"), node("Pow", ["h", "exponent"], ["y"], "/pow")],
    },
    [{ x: real([2, 4], x) }],
  );
  const y = await ask({ x: { shape: [2, 4], data: Float64Array.from(x) } });
  const rows = [x.slice(0, 4), x.slice(4)];
  const right = rows.flatMap((row) =>
    row.map((value) => (1.125 * value + 0.125 * row.reduce((a, b) => a + b)) ** exponent),
  );
  for (const [k, value] of y.entries()) expect(Math.abs(value - right[k]!)).toBeLessThan(declared!);
});
