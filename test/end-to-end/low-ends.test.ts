import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { compile } from "../../compiler/api/compile.ts";
import { keptOutputs } from "../../compiler/run/handed-shares.ts";
import { openLocal } from "../../compiler/run/local-session.ts";
import { openPlain } from "../../compiler/run/plain.ts";
import { writeNpz } from "../../compiler/tensors/npz.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers } from "./tiny-model.ts";

/* Steep functions of x·W with W = 3·identity: inputs near the low end of their operand's bounds are easy to name. */
const dir = mkdtempSync(join(tmpdir(), "marillc-low-ends-"));
afterAll(() => rmSync(dir, { recursive: true }));
const n = 4;
const typed = (x: Tensor) => ({ dtype: "float32", tensor: x }) as const;
const identity = Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? 3 : 0));

const nets = {
  "log of a sigmoid": {
    nodes: [node("Sigmoid", ["h"], ["s"], "/sigmoid"), node("Log", ["s"], ["y"], "/log")],
    exact: (h: number) => -Math.log(1 + Math.exp(-h)),
    inputs: [-1.85, -1.8, -1.7, 1],
    reveal: "client",
  },
  "log of a clipped value": {
    nodes: [node("Clip", ["h", "least"], ["c"], "/clip"), node("Log", ["c"], ["y"], "/log")],
    exact: (h: number) => Math.log(Math.max(0.001, h)),
    inputs: [-1, 0.00034, 0.0005, 0.001],
    reveal: "shared",
  },
} as const;

test.each(Object.entries(nets))("%s is within its declared error at the low end", async (name, net) => {
  const [model, calibrate, output] = ["model.onnx", "calib", "build"].map((file) => join(dir, `${name}-${file}`)) as [
    string,
    string,
    string,
  ];
  const graph = {
    name: "g",
    initializer: [floatTensor("w", [n, n], identity), floatTensor("least", [], [0.001])],
    input: [floatInfo("x", 1, n)],
    output: [floatInfo("y", 1, n)],
    node: [node("MatMul", ["x", "w"], ["h"], "/matmul"), ...net.nodes],
  };
  writeFileSync(model, modelBytes(graph));
  mkdirSync(calibrate);
  for (let k = 0; k < 4; k++)
    writeFileSync(
      join(calibrate, `${k}.npz`),
      writeNpz(new Map([["x", typed(tensor([1, n], numbers(n, k + 1, 1.5)))]])),
    );
  const options = { model, base: model, private: ["w"], calibrate, output, link: "lan", verify: false } as const;
  const { manifest } = await compile({ ...options, reveal: { y: net.reveal } });
  const [{ tensor: named, declared }] = manifest.errors as [NonNullable<typeof manifest.errors>[0]];
  expect(named).toBe("y");
  const x = tensor([1, n], [...net.inputs]);
  const given = new Map([["x", typed(x)]]);
  const plain = await openPlain(output);
  expect(await plain.departures(given)).toEqual([]);
  const session = await openLocal({ dir: output, inProcess: true });
  const { outputs, residues } = await session.query(given);
  await session.end();
  await plain.release();
  const [found] = [...outputs.values(), ...keptOutputs(manifest, residues).values()];
  const errors = [...found!.tensor.data].map((y, k) => Math.abs(y - net.exact(3 * Math.fround(net.inputs[k]!))));
  expect(Math.max(...errors)).toBeLessThanOrEqual(declared);
});
