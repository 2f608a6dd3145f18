import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { writeNpz } from "../../compiler/tensors/npz.ts";
import { tensor } from "../../ir/tensor.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers } from "./tiny-model.ts";

const [length, width, heads] = [4, 8, 2];

/** How absent scores are written: a number added to all, or a choice between the score and −∞. */
export type Masking = "added" | "chosen";

const ints = (name: string, ...values: number[]): proto.IAttributeProto => ({ name, type: 7, ints: values });
const int = (name: string, i: number): proto.IAttributeProto => ({ name, type: 2, i });
const bools = (name: string, dims: number[], values: readonly number[]): proto.ITensorProto => ({
  name,
  dims,
  dataType: 9,
  int32Data: [...values],
});
const integers = (name: string, ...values: number[]): proto.ITensorProto => ({
  name,
  dims: [values.length],
  dataType: 7,
  int64Data: values,
});

type Write = (op: string, inputs: string[], ...attribute: proto.IAttributeProto[]) => string;

/** (x − mean) / √(mean((x − mean)²) + ε) · g + b, operator by operator. */
function layerNorm(write: Write, x: string, name: string): string {
  const mean = (of: string): string => write("ReduceMean", [of], ints("axes", -1));
  const centred = write("Sub", [x, mean(x)]);
  const variance = mean(write("Pow", [centred, "two"]));
  const normal = write("Div", [centred, write("Sqrt", [write("Add", [variance, "epsilon"])])]);
  return write("Add", [write("Mul", [normal, `${name}.weight`]), `${name}.bias`]);
}

/** Multi-head attention as products, a mask and a softmax over [1, heads, length, length]. */
function attention(write: Write, x: string, masking: Masking): string {
  const [q, k, v] = ["q", "k", "v"].map((name) => {
    const split = write("Reshape", [write("MatMul", [x, `attn.${name}.weight`]), "by_head"]);
    return write("Transpose", [split], ints("perm", 0, 2, 1, 3));
  }) as [string, string, string];
  const scores = write("Mul", [write("MatMul", [q, write("Transpose", [k], ints("perm", 0, 1, 3, 2))]), "scale"]);
  const visible = write("Reshape", ["attention_mask", "per_score"]);
  const masked =
    masking === "added"
      ? write("Add", [write("Add", [scores, "causal"]), write("Mul", [write("Sub", ["one", visible]), "lowest"])])
      : write("Where", [write("And", [write("Greater", [visible, "zero"]), "triangle"]), scores, "minus_infinity"]);
  const mixed = write("MatMul", [write("Softmax", [masked], int("axis", -1)), v]);
  return write("Reshape", [write("Transpose", [mixed], ints("perm", 0, 2, 1, 3)), "joined"]);
}

/** ½·x·(1 + erf(x/√2)) */
const gelu = (write: Write, x: string): string =>
  write("Mul", [write("Mul", [x, write("Add", [write("Erf", [write("Div", [x, "root"])]), "one"])]), "half"]);

/** A block without any operator that has a name for what it is; `seed` gives the matrices of the layer. */
function block(masking: Masking, seed: number): Uint8Array {
  const nodes: proto.INodeProto[] = [];
  const write: Write = (op, inputs, ...attribute) => {
    const name = `t${nodes.length}`;
    nodes.push({ ...node(op, inputs, [name], `/layers.0/${op}_${nodes.length}`), attribute });
    return name;
  };
  const embedded = write("MatMul", ["x", "embed.weight"]);
  const attended = write("Add", [embedded, write("MatMul", [attention(write, embedded, masking), "attn.o.weight"])]);
  const inner = write("MatMul", [layerNorm(write, attended, "norm"), "up.weight"]);
  const gate = write("MatMul", [attended, "gate.weight"]);
  const gated = write("Mul", [gelu(write, inner), write("Mul", [gate, write("Sigmoid", [gate])])]);
  const sum = write("Add", [attended, write("MatMul", [gated, "down.weight"])]);
  // √(x² + 1) by powers, and 1 / it.
  const length_ = write("Pow", [write("Add", [write("Mul", [sum, sum]), "one"]), "half"]);
  nodes.push(node("Div", [sum, length_], ["y"], "/layers.0/Div"));

  const matrix = (name: string, at: number) => floatTensor(name, [width, width], numbers(width * width, at, 0.5));
  const scalar = (name: string, value: number) => floatTensor(name, [], [value]);
  const future = [...Array(length * length).keys()].map((at) => Number(at % length <= Math.floor(at / length)));
  const lowest = -3.4028234663852886e38;
  return modelBytes({
    name: "block",
    initializer: [
      matrix("embed.weight", 1),
      ...["attn.q", "attn.k", "attn.v", "attn.o", "up", "gate", "down"].map((name, at) =>
        matrix(`${name}.weight`, seed + at),
      ),
      floatTensor("norm.weight", [width], numbers(width, 3, 1)),
      floatTensor("norm.bias", [width], numbers(width, 4, 1)),
      ...Object.entries({ two: 2, epsilon: 1e-5, one: 1, zero: 0, half: 0.5, root: Math.SQRT2 }).map(([name, value]) =>
        scalar(name, value),
      ),
      scalar("scale", 1 / Math.sqrt(width / heads)),
      scalar("lowest", lowest),
      scalar("minus_infinity", -Infinity),
      floatTensor(
        "causal",
        [1, 1, length, length],
        future.map((seen) => (seen ? 0 : lowest)),
      ),
      bools("triangle", [1, 1, length, length], future),
      integers("by_head", 1, length, heads, width / heads),
      integers("joined", 1, length, width),
      integers("per_score", 1, 1, 1, length),
    ],
    input: [floatInfo("x", 1, length, width), floatInfo("attention_mask", 1, length)],
    output: [floatInfo("y", 1, length, width)],
    node: nodes,
  });
}

/** Inputs with the last token masked or not. */
const inputs = (seed: number, last: number) =>
  new Map([
    ["x", { dtype: "float32" as const, tensor: tensor([1, length, width], numbers(length * width, seed, 1)) }],
    ["attention_mask", { dtype: "float32" as const, tensor: tensor([1, length], [1, 1, 1, last]) }],
  ]);

/** Writes the model, its public base, an input, and calibration inputs. */
export function writeDecomposed(dir: string, masking: Masking) {
  const files = { model: join(dir, "block.onnx"), base: join(dir, "base.onnx"), input: join(dir, "input.npz") };
  const calibrate = join(dir, "calibration");
  mkdirSync(calibrate, { recursive: true });
  writeFileSync(files.model, block(masking, 11));
  writeFileSync(files.base, block(masking, 31));
  writeFileSync(files.input, writeNpz(inputs(5, 0)));
  for (const seed of [6, 7, 8]) writeFileSync(join(calibrate, `${seed}.npz`), writeNpz(inputs(seed, seed % 2)));
  return { ...files, calibrate };
}
