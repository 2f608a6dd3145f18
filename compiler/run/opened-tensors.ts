import type { Program } from "../../runtime/program/index.ts";
import type { IntTensor } from "../../runtime/ring/index.ts";
import type { Manifest } from "../build/index.ts";
import { dtypeOfType, type TypedTensor } from "../tensors/index.ts";
import { dequantizeOutput } from "./quantize-inputs.ts";

/** The tensors opened to a party, in real numbers, or in the integers that the model gives. */
export const openedTensors = (
  reader: "client" | "server",
  reveals: Manifest["reveals"],
  { outputs }: Pick<Program, "outputs">,
  revealed: ReadonlyMap<string, IntTensor>,
): readonly (readonly [string, TypedTensor])[] =>
  reveals.flatMap(({ value, tensor, to, type }): [string, TypedTensor][] => {
    const found = revealed.get(value);
    if (to !== reader || !found) return [];
    const real = dequantizeOutput(found, outputs[value]!.scale);
    if (type === undefined) return [[tensor, { dtype: "float32", tensor: real }]];
    return [[tensor, { dtype: dtypeOfType(type), tensor: { shape: real.shape, data: real.data.map(Math.round) } }]];
  });
