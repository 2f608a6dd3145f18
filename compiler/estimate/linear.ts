import type { ValueId } from "../../ir/module.ts";
import { at, type Kit } from "./kit.ts";
import { layerLabel } from "./ownership.ts";

/** x·W, with a bias where the architecture has them. */
export function dense(kit: Kit, layer: string, kind: string, x: ValueId, to: number): ValueId {
  const { builder, weight, arch, options } = kit;
  const label = layerLabel(options.private);
  const from = builder.type(x).shape.at(-1)!;
  const where = at(layer, kind);
  const product = builder.op("matmul", [x, weight(`${layer}.${kind}`, [from, to], label)], {}, where);
  if (!arch.bias) return product;
  return builder.op("add", [product, weight(`${layer}.${kind}.bias`, [to], label)], {}, where);
}

/** A product of a layer: x·W, and (x·A)·B beside it where there are adapters for it. */
export function projection(kit: Kit, layer: string, kind: string, x: ValueId, to: number): ValueId {
  const own = dense(kit, layer, kind, x, to);
  const { adapters } = kit.options.private;
  const here = adapters?.on === "every product" || kind === "query" || kind === "value";
  if (adapters === undefined || !here) return own;
  const { rank, publicA } = adapters;
  const { op, type } = kit.builder;
  const from = type(x).shape.at(-1)!;
  const a = kit.weight(`${layer}.${kind}.A`, [from, rank], publicA ? "public" : "server");
  const b = kit.weight(`${layer}.${kind}.B`, [rank, to], "server");
  const low = op("matmul", [x, a], {}, at(layer, kind === "fed" ? "low-rank-fed" : "low-rank"));
  return op("add", [own, op("matmul", [low, b], {}, at(layer, kind))], {}, at(layer, kind));
}
