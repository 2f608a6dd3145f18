import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeNpz } from "../../compiler/tensors/npz.ts";
import { tensor } from "../../ir/tensor.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers } from "./tiny-model.ts";

const [rows, size] = [2, 8] as const;
const weight = (name: string, seed: number) => floatTensor(name, [size, size], numbers(size * size, seed, 0.5));

/** h = relu(x·A): two rows of eight. */
const front = {
  weights: [weight("A", 3)],
  nodes: [node("MatMul", ["x", "A"], ["xa"], "/front/MatMul"), node("Relu", ["xa"], ["h"], "/front/Relu")],
};
/** y = relu(h·B + u)·C */
const back = {
  weights: [weight("B", 5), weight("C", 7)],
  nodes: [
    node("MatMul", ["h", "B"], ["hb"], "/back/MatMul"),
    node("Add", ["hb", "u"], ["sum"], "/back/Add"),
    node("Relu", ["sum"], ["active"], "/back/Relu"),
    node("MatMul", ["active", "C"], ["y"], "/back/MatMul_1"),
  ],
};

type Part = typeof front;
const model = (name: string, inputs: readonly string[], output: string, parts: readonly Part[]): Uint8Array =>
  modelBytes({
    name,
    initializer: parts.flatMap(({ weights }) => weights),
    input: inputs.map((input) => floatInfo(input, rows, size)),
    output: [floatInfo(output, rows, size)],
    node: parts.flatMap(({ nodes }) => nodes),
  });

/** The numbers of `x` and `u` of one query. */
export const chainInputs = (seed: number) => ({
  x: { shape: [rows, size], data: numbers(rows * size, 100 + seed, 1) },
  u: { shape: [rows, size], data: numbers(rows * size, 200 + seed, 1) },
});

/** Writes two models, the one that they are together, and calibration inputs for each. */
export function writeChain(dir: string) {
  mkdirSync(dir, { recursive: true });
  const write = (name: string, inputs: readonly string[], output: string, parts: readonly Part[]): string => {
    const file = join(dir, `${name}.onnx`);
    writeFileSync(file, model(name, inputs, output, parts));
    return file;
  };
  const calibration = (name: string, values: Readonly<Record<string, readonly number[]>>): string => {
    mkdirSync(join(dir, name));
    const tensors = Object.entries(values).map(([input, data]) => {
      const made = tensor([rows, size], Float64Array.from(data));
      return [input, { dtype: "float32" as const, tensor: made }] as const;
    });
    writeFileSync(join(dir, name, "0.npz"), writeNpz(new Map(tensors)));
    return join(dir, name);
  };
  const { x, u } = chainInputs(0);
  const h = numbers(rows * size, 9, 2).map(Math.abs);
  return {
    front: write("front", ["x"], "h", [front]),
    back: write("back", ["h", "u"], "y", [back]),
    whole: write("whole", ["x", "u"], "y", [front, back]),
    ofFront: calibration("of-front", { x: x.data }),
    ofBack: calibration("of-back", { h, u: u.data }),
    ofWhole: calibration("of-whole", { x: x.data, u: u.data }),
  };
}
