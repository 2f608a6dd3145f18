import type { Program } from "../../runtime/program/index.ts";
import type { IntTensor } from "../../runtime/ring/index.ts";
import type { Manifest } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { dequantizeOutput } from "./quantize-inputs.ts";

/** The tensors opened to a party, as real values. */
export const openedTensors = (
  reader: "client" | "server",
  reveals: Manifest["reveals"],
  { outputs }: Pick<Program, "outputs">,
  revealed: ReadonlyMap<string, IntTensor>,
): readonly (readonly [string, TypedTensor])[] =>
  reveals.flatMap(({ value, tensor, to }) => {
    const found = revealed.get(value);
    if (to !== reader || !found) return [];
    return [[tensor, { dtype: "float32", tensor: dequantizeOutput(found, outputs[value]!.scale) }] as const];
  });
