import type { Module } from "../../../ir/module.ts";
import type { Tensor } from "../../../ir/weights.ts";
export function canonicalize(module: Module, weights: ReadonlyMap<string, Tensor>) {
  return { module, weights, recognised: new Map<string, number>() };
}
