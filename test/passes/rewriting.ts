import { expect } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { opsOf, type ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { createNoise, type Kit, largestDifference, type Model, model } from "./models.ts";

export const reveal = (output: string) => ({ reveal: [{ output, to: "client" as const }] });

/** The secure part of a model, with random tensors for its inputs. */
export function secure(whole: Model): { readonly state: SplitState; readonly inputs: ReadonlyMap<ValueId, Tensor> } {
  const state = split(whole, { reveal: whole.module.outputs.map((output) => ({ output, to: "client" })) });
  const noise = createNoise(11);
  const inputs = state.module.inputs.map((id): [ValueId, Tensor] => {
    const { shape, element } = state.module.values[id]!.type;
    const values = noise(shape, 2);
    if (element.kind === "f32") return [id, values];
    const integers = values.data.map((x) => (element.kind === "bool" ? Number(x > 0) : Math.floor(x + 2)));
    return [id, tensor(shape, integers)];
  });
  return { state, inputs: new Map(inputs) };
}

/**
 * Checks that outputs before and after the rewrites agree up to rounding; returns the names of the new ops, but for those
 * that take over shared inputs.
 */
export function check(build: (kit: Kit) => readonly ValueId[]): {
  readonly names: readonly string[];
  readonly done: SplitState;
} {
  const { state, inputs } = secure(model(build));
  const done = runPass(rewritePass(), state);
  const [before, after] = [state, done].map(({ module, weights }) => [...interpret(module, weights, inputs).values()]);
  before!.forEach((expected, i) => {
    expect(largestDifference(after![i]!, expected)).toBeLessThan(1e-9);
  });
  const names = opsOf(done.module).map((op) => op.name);
  return { names: names.filter((name) => name !== "take-over"), done };
}

/** A secret value: the client's input through a private layer. */
export const secret = ({ op, feature, weight, noise }: Kit): ValueId =>
  op("matmul", [feature("x", [3, 4]), weight("w", "server", noise([4, 4]))]);

/** 1 or more, whatever the inputs. */
export const positive = (kit: Kit, x: ValueId): ValueId =>
  kit.op("add", [kit.op("mul", [x, x]), kit.weight("one", "public", tensor([], [1]))]);
