import type { ValueId } from "../../ir/module.ts";
import { type ArchitectureBuilder, nodeNames } from "./architecture-builder.ts";
import { privateLayerLabel } from "./architecture-ownership.ts";

/** x·W, with a bias if the architecture has biases. */
export function denseLayer(kit: ArchitectureBuilder, layer: string, kind: string, x: ValueId, to: number): ValueId {
  const { builder, weight, arch, options } = kit;
  const label = privateLayerLabel(options.ownership);
  const from = builder.type(x).shape.at(-1)!;
  const where = nodeNames(layer, kind);
  const product = builder.op("matmul", [x, weight(`${layer}.${kind}`, [from, to], label)], {}, where);
  if (!arch.bias) return product;
  return builder.op("add", [product, weight(`${layer}.${kind}.bias`, [to], label)], {}, where);
}

/** A projection of a layer: x·W, plus (x·A)·B if it has an adapter. */
export function projection(kit: ArchitectureBuilder, layer: string, kind: string, x: ValueId, to: number): ValueId {
  const own = denseLayer(kit, layer, kind, x, to);
  const { adapters } = kit.options.ownership;
  const here = adapters?.targets === "every product" || kind === "query" || kind === "value";
  if (adapters === undefined || !here) return own;
  const { rank, publicA } = adapters;
  const { op, type } = kit.builder;
  const from = type(x).shape.at(-1)!;
  const a = kit.weight(`${layer}.${kind}.A`, [from, rank], publicA ? "public" : "server");
  const b = kit.weight(`${layer}.${kind}.B`, [rank, to], "server");
  const low = op("matmul", [x, a], {}, nodeNames(layer, kind === "fed" ? "low-rank-fed" : "low-rank"));
  return op("add", [own, op("matmul", [low, b], {}, nodeNames(layer, kind))], {}, nodeNames(layer, kind));
}
