import type { Attrs, ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { f32, sizeOf } from "../../ir/type.ts";
import { type ArchitectureBuilder, cacheInfix, nodeNames } from "./architecture-builder.ts";
import type { Architecture } from "./architectures.ts";
import { projection } from "./linear-layers.ts";

/** Public tables of rotary embeddings, equal in every layer. */
export interface RotaryTables {
  readonly cos: ValueId;
  readonly sin: ValueId;
}

/** Rotary embeddings of the positions of a query (Su et al., 2021). */
export function rotaryTables({ arch, options, positions, table }: ArchitectureBuilder): RotaryTables {
  const depth = arch.hidden / arch.heads;
  const shape = [1, 1, positions, depth];
  const from = options.phase === "decode" ? options.contextLength! : 0;
  const angle = (index: number): number =>
    (from + Math.floor(index / depth)) * 10000 ** ((-2 * (index % (depth / 2))) / depth);
  const of = (f: (x: number) => number): Tensor =>
    tensor(
      shape,
      Float64Array.from({ length: sizeOf(shape) }, (_, index) => f(angle(index))),
    );
  return { cos: table("cos", of(Math.cos)), sin: table("sin", of(Math.sin)) };
}

/** The attention of a layer, from its normed input to its projected result: [1, positions, hidden]. */
export function attentionBlock(
  kit: ArchitectureBuilder,
  layer: string,
  x: ValueId,
  angles: RotaryTables | undefined,
): ValueId {
  const { arch, positions, builder, options } = kit;
  const { op } = builder;
  const depth = arch.hidden / arch.heads;
  const width = arch.keyHeads * depth;
  const products: Projections = {
    query: projection(kit, layer, "query", x, arch.hidden),
    key: projection(kit, layer, "key", x, width),
    value: projection(kit, layer, "value", x, width),
  };
  const { mergedHeads = 1 } = options;
  const { headsPerOp = arch.heads / mergedHeads } = options;
  checkHeadGroups(arch, mergedHeads, headsPerOp);
  const size = mergedHeads * headsPerOp;
  const where = nodeNames(layer, "attended");
  const starts = [...Array(arch.heads / size).keys()].map((k) => k * size);
  const parts = starts.map((from) => attentionOp(kit, layer, products, angles, [from, from + size]));
  const all = parts.length === 1 ? parts[0]! : op("concat", parts, { axis: 1 }, where);
  const rows = op("transpose", [all], { perm: [0, 2, 1, 3] }, where);
  const whole = op("reshape", [rows], { shape: [1, positions, arch.hidden] }, where);
  return projection(kit, layer, "projected", whole, arch.hidden);
}

/** @throws RangeError where the heads do not divide into such groups */
export function checkHeadGroups({ heads, keyHeads }: Architecture, merge: number, headsPerOp = heads / merge): void {
  const size = merge * headsPerOp;
  const isPlain = merge === 1 && size === heads;
  if (!isPlain && (keyHeads !== heads || heads % merge !== 0 || heads % size !== 0)) {
    throw new RangeError(
      `expected groups that divide ${heads} heads with as many keys, found ${merge} merged heads, ${headsPerOp} per operator, ${keyHeads} key heads`,
    );
  }
}

type Projections = Readonly<Record<"query" | "key" | "value", ValueId>>;

/** One attention operator over heads from…end, or over all key heads if there are fewer. */
function attentionOp(
  kit: ArchitectureBuilder,
  layer: string,
  products: Projections,
  angles: RotaryTables | undefined,
  [from, end]: readonly [number, number],
): ValueId {
  const { arch, positions, builder, options } = kit;
  const { op } = builder;
  const { mergedHeads = 1 } = options;
  const depth = arch.hidden / arch.heads;
  const columns = (kind: string, product: ValueId, heads: number): ValueId => {
    if (end - from >= heads) return product;
    const bounds = { starts: [0, 0, from * depth], ends: [1, positions, end * depth], steps: [1, 1, 1] };
    return op("slice", [product], bounds, nodeNames(layer, kind));
  };
  const part = (kind: keyof Projections, total: number): ValueId => {
    const heads = Math.min(end - from, total);
    const where = nodeNames(layer, kind);
    const own = columns(kind, products[kind], total);
    const apart = op("reshape", [own], { shape: [1, positions, heads, depth] }, where);
    const rows = op("transpose", [apart], { perm: [0, 2, 1, 3] }, where);
    const rotated = angles && kind !== "value" ? op("rope", [rows, angles.cos, angles.sin], {}, where) : rows;
    if (mergedHeads === 1) return rotated;
    // Concatenates neighbouring heads after the rotation: merged heads would be rotated by other frequencies.
    const groups = op("reshape", [rotated], { shape: [heads / mergedHeads, mergedHeads, positions, depth] }, where);
    const side = op("transpose", [groups], { perm: [0, 2, 1, 3] }, where);
    return op("reshape", [side], { shape: [1, heads / mergedHeads, positions, mergedHeads * depth] }, where);
  };
  const q = part("query", arch.heads);
  const k = part("key", arch.keyHeads);
  const v = part("value", arch.keyHeads);
  // With 1/(m·√D), m equal heads merge into the same head (docs/rewrite.md).
  const attrs: Attrs = { scale: 1 / (mergedHeads * Math.sqrt(depth)), causal: arch.causal };
  const where = nodeNames(layer, "attended");
  if (options.phase !== "decode") return op("attention", [q, k, v], attrs, where);
  const past = [cachedInput(kit, layer, "key", k), cachedInput(kit, layer, "value", v)] as const;
  if (options.cacheForm !== "shares") return op("cached-attention", [q, k, v, ...past], attrs, where);
  const joined = (kind: string, before: ValueId, next: ValueId): ValueId =>
    op("concat", [before, next], { axis: 2 }, nodeNames(layer, kind));
  return op("attention", [q, joined("key", past[0], k), joined("value", past[1], v)], attrs, where);
}

/** Cached rows with the shape of a new one: masked values of earlier queries, or shares, which enter as an input. */
function cachedInput({ builder, options }: ArchitectureBuilder, layer: string, kind: string, next: ValueId): ValueId {
  const shape = builder.type(next).shape.with(2, options.contextLength!);
  const asMaskedValues = options.cacheForm !== "shares";
  const id = builder.input(`${layer}${cacheInfix}${kind}`, {
    label: asMaskedValues ? "shared" : "client",
    element: f32,
    shape,
    ...(asMaskedValues && { sharing: "masked" }),
  });
  return asMaskedValues ? id : builder.op("share", [id], {}, nodeNames(layer, kind));
}
