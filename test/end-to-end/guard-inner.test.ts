import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { ModelOptions } from "../../compiler/api/model-options.ts";
import { run } from "../../compiler/api/run.ts";
import { openOnnxSession } from "../../compiler/run/onnx-session.ts";
import { writeNpz } from "../../compiler/tensors/npz.ts";
import { tensor } from "../../ir/tensor.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { build } from "./compiled.ts";

/*
 * Scores of attention, and sums of squares of norms, stay inside of a protocol. Calibration inputs hide how large they
 * become: a query has no value beyond its bounds, and scores and sums far beyond what was measured. The secure guard
 * compares values between operators alone, so a guarded build must be right here, not only silent.
 */
const dir = mkdtempSync(join(tmpdir(), "marillc-guard-inner-"));
afterAll(() => rmSync(dir, { recursive: true }));
const [rows, size] = [4, 8] as const;
const square = (at: (i: number, j: number) => number): number[] =>
  Array.from({ length: size * size }, (_, k) => at(Math.floor(k / size), k % size));
const projection = (name: string, at: (i: number, j: number) => number) => floatTensor(name, [size, size], square(at));

/** Keys have even and odd positions exchanged: rows with one kind alone have scores of 0. Equal rows average to one. */
const attention = modelBytes(
  {
    name: "attention",
    initializer: [
      projection("Wq", (i, j) => (i === j ? 1 : 0)),
      projection("Wk", (i, j) => (i === (j ^ 1) ? 1 : 0)),
      projection("Wv", (i, j) => (i === j ? 0.5 : 0)),
    ],
    input: [floatInfo("x", 1, rows, size)],
    output: [floatInfo("y", 1, rows, size)],
    node: [
      ...["q", "k", "v"].map((name) => node("MatMul", ["x", `W${name}`], [name], `/${name}`)),
      {
        ...node("Attention", ["q", "k", "v"], ["y"], "/attend"),
        attribute: [
          { name: "q_num_heads", type: 2, i: 1 },
          { name: "kv_num_heads", type: 2, i: 1 },
        ],
      },
    ],
  },
  { irVersion: 11, opsetImport: [{ domain: "", version: 23 }] },
);
/** Rows with one large element have a sum of squares of 9; other rows of the same bounds have 72. */
const norm = modelBytes({
  name: "norm",
  initializer: [
    projection("W", (i, j) => (i === j ? 1 : 0)),
    floatTensor(
      "scale",
      [size],
      Array.from({ length: size }, (_, k) => 1 + k / 8),
    ),
    floatTensor("shift", [size], new Array<number>(size).fill(0.1)),
  ],
  input: [floatInfo("x", 1, rows, size)],
  output: [floatInfo("y", 1, rows, size)],
  node: [node("MatMul", ["x", "W"], ["h"], "/h"), node("LayerNormalization", ["h", "scale", "shift"], ["y"], "/norm")],
});

const shape = [1, rows, size];
const data = (at: (i: number, j: number) => number): Float64Array =>
  Float64Array.from({ length: rows * size }, (_, k) => at(Math.floor(k / size), k % size));
const parity = (odd: number) => data((_, j) => (j % 2 !== odd ? 0 : j % 4 < 2 ? 3 : -3));
const cases = [
  {
    name: "attention",
    model: attention,
    calibration: [parity(0), parity(1)],
    x: data((i, j) => (i % 2 === 0 ? 2.9 : -2.9) * (j % 4 < 2 ? 1 : -1)),
  },
  {
    name: "norm",
    model: norm,
    calibration: [-3, 3].flatMap((value) => [0, rows].map((from) => data((i, j) => (j === from + i ? value : 0)))),
    x: data((i, j) => (j % 2 === 0 ? 2.9 : -2.9) + i / 64),
  },
];

test.each(
  cases,
)("$name: with a guard the answer is right beyond what was measured inside of an operator", async (each) => {
  const file = join(dir, `${each.name}.onnx`);
  writeFileSync(file, each.model);
  const calibrate = join(dir, `${each.name}-calibration`);
  mkdirSync(calibrate);
  for (const [k, values] of each.calibration.entries()) {
    const inputs = new Map([["x", { dtype: "float32" as const, tensor: tensor(shape, values) }]]);
    writeFileSync(join(calibrate, `${k}.npz`), writeNpz(inputs));
  }
  const options: ModelOptions = {
    ...{ model: file, base: file, private: ["*"], reveal: { y: "client" }, calibrate, margin: 1 },
  };
  const reference = await openOnnxSession(file);
  const inputs = new Map([["x", { dtype: "float32" as const, tensor: tensor(shape, each.x) }]]);
  const right = (await reference.run(inputs)).get("y")!.tensor.data;
  const errorOf = async (name: string, more: Partial<ModelOptions>) => {
    const at = join(dir, `${each.name}-${name}`);
    build(at, { ...options, ...more });
    const asked = { build: at, inputs: { x: { shape, data: each.x } }, inProcess: true, guard: false } as const;
    const { outputs, trusted } = await run(asked);
    const largest = Math.max(...outputs.y!.data.map((value, k) => Math.abs(value - right[k]!)));
    return { largest, trusted };
  };
  const bare = await errorOf("bare", {});
  expect(bare.largest).toBeGreaterThan(0.05);
  const guarded = await errorOf("guarded", { guard: ["all"] });
  expect(guarded.trusted).toBe(true);
  expect(guarded.largest).toBeLessThan(0.01);
});
