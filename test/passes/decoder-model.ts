import { type DecodeStep, deriveDecodeStep } from "../../compiler/decode/decode-step.ts";
import type { ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { type Kit, type Model, model } from "./models.ts";

/** Context length, and sizes of the model. */
export const [length, width, heads, depth] = [6, 8, 2, 4];
/** Positions that hold text at first. */
export const prompt = 2;

/**
 * Two layers of causal attention, one in a window, with rotary and learned positions, a private scale per position,
 * grouped keys, norms and a gated layer.
 */
export function decoder(): Model {
  return model((kit) => {
    const { op, weight, noise, feature } = kit;
    const table = (id: string): ValueId => weight(id, "public", noise([1, 1, length, depth]));
    const [cos, sin] = [table("cos"), table("sin")];
    const positions = weight("positions", "server", noise([1, length, width]));
    const normWeights = weight("gains", "server", noise([1, length, width]));
    let x = op("mul", [op("add", [feature("x", [1, length, width]), positions]), normWeights]);
    for (const layer of ["a", "b"]) x = layerOf(kit, layer, x, cos, sin);
    const head = op("matmul", [op("rms-norm", [x], { epsilon: 1e-5 }), weight("head", "public", noise([width, 5]))]);
    return [head];
  });
}

function layerOf({ op, weight, noise }: Kit, layer: string, x: ValueId, cos: ValueId, sin: ValueId): ValueId {
  const dense = (name: string, from: ValueId, to: number, size: number): ValueId =>
    op("matmul", [from, weight(`${layer}.${name}`, "server", noise([size, to], 0.5))]);
  const normed = op("rms-norm", [x], { epsilon: 1e-5 });
  const side = (name: string, count: number): ValueId => {
    const split = op("reshape", [dense(name, normed, count * depth, width)], { shape: [1, length, count, depth] });
    return op("transpose", [split], { perm: [0, 2, 1, 3] });
  };
  const q = op("rope", [side("q", heads), cos, sin]);
  const k = op("rope", [side("k", 1), cos, sin]);
  const mixed = op("attention", [q, k, side("v", 1)], { scale: 0.5, causal: true, window: layer === "b" ? 3 : 0 });
  const flat = op("reshape", [op("transpose", [mixed], { perm: [0, 2, 1, 3] })], { shape: [1, length, width] });
  const after = op("add", [x, dense("o", flat, width, width)]);
  const inner = op("mul", [op("silu", [dense("gate", after, 12, width)]), dense("up", after, 12, width)]);
  return op("add", [after, dense("down", inner, width, 12)]);
}

export const secure = (whole: Model): SplitState =>
  runPass(
    rewritePass(),
    split(whole, { reveal: whole.module.outputs.map((output) => ({ output, to: "client" as const })) }),
  );

export function derive(state: SplitState, past?: number, count = 1): DecodeStep {
  const made = deriveDecodeStep(state, { contextLength: length, count, ...(past !== undefined && { past }) });
  if ("code" in made) throw new Error(made.message);
  return made;
}

/** Rows from…to along an axis. */
export function rows({ shape, data }: Tensor, axis: number, from: number, to: number): Tensor {
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = data.length / (shape[axis]! * inner);
  const parts = Array.from({ length: outer }, (_, k) =>
    Array.from(data.subarray((k * shape[axis]! + from) * inner, (k * shape[axis]! + to) * inner)),
  );
  return tensor(shape.with(axis, to - from), parts.flat());
}

/** Two tensors concatenated along axis 2. */
export const concatPositions = (a: Tensor, b: Tensor): Tensor => {
  const groups = a.shape[1]!;
  const part = (t: Tensor, k: number): number[] => {
    const size = t.data.length / groups;
    return Array.from(t.data.subarray(k * size, (k + 1) * size));
  };
  const data = Array.from({ length: groups }, (_, k) => [...part(a, k), ...part(b, k)]).flat();
  return tensor(a.shape.with(2, a.shape[2]! + b.shape[2]!), data);
};
