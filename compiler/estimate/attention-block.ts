import type { Attrs, ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { f32, sizeOf } from "../../ir/type.ts";
import { type ArchitectureBuilder, cacheInfix, nodeNames } from "./architecture-builder.ts";
import type { Architecture } from "./architectures.ts";
import { projection } from "./linear-layers.ts";

/** Public tables of the places' rotations, the same for every layer. */
export interface RotaryTables {
  readonly cos: ValueId;
  readonly sin: ValueId;
}

/** Rotations of the places of a query (Su et al., 2021). */
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

/** A layer's attention, from its normed input to its projected result. */
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

/** @throws RangeError where heads cannot be merged so, or put so many to an operator. */
export function checkHeadGroups({ heads, keyHeads }: Architecture, merge: number, headsPerOp = heads / merge): void {
  const size = merge * headsPerOp;
  const isPlain = merge === 1 && size === heads;
  if (!isPlain && (keyHeads !== heads || heads % merge !== 0 || heads % size !== 0)) {
    throw new RangeError(
      `${heads} heads, ${keyHeads} of keys: they are not merged by ${merge}, ${headsPerOp} to an operator`,
    );
  }
}

type Projections = Readonly<Record<"query" | "key" | "value", ValueId>>;

/** One operator of attention: the heads from the first to before the last, or all where there are no more. */
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
    const turned = angles && kind !== "value" ? op("rope", [rows, angles.cos, angles.sin], {}, where) : rows;
    if (mergedHeads === 1) return turned;
    // Neighbouring heads side by side. Rotated before: merged first, they would turn other frequencies.
    const groups = op("reshape", [turned], { shape: [heads / mergedHeads, mergedHeads, positions, depth] }, where);
    const side = op("transpose", [groups], { perm: [0, 2, 1, 3] }, where);
    return op("reshape", [side], { shape: [1, heads / mergedHeads, positions, mergedHeads * depth] }, where);
  };
  const q = part("query", arch.heads);
  const k = part("key", arch.keyHeads);
  const v = part("value", arch.keyHeads);
  // 1/(m·√D) reproduces heads that are equal (docs/rewrite.md).
  const attrs: Attrs = { scale: 1 / (mergedHeads * Math.sqrt(depth)), causal: arch.causal };
  const where = nodeNames(layer, "attended");
  if (options.phase !== "decode") return op("attention", [q, k, v], attrs, where);
  const past = [cachedInput(kit, layer, "key", k), cachedInput(kit, layer, "value", v)] as const;
  if (options.cacheForm !== "shares") return op("cached-attention", [q, k, v, ...past], attrs, where);
  const joined = (kind: string, before: ValueId, next: ValueId): ValueId =>
    op("concat", [before, next], { axis: 2 }, nodeNames(layer, kind));
  return op("attention", [q, joined("key", past[0], k), joined("value", past[1], v)], attrs, where);
}

/** Rows of the places before, like a new one: wires that earlier queries opened, or shares, which enter like an input. */
function cachedInput({ builder, options }: ArchitectureBuilder, layer: string, kind: string, next: ValueId): ValueId {
  const shape = builder.type(next).shape.with(2, options.contextLength!);
  const asWires = options.cacheForm !== "shares";
  const id = builder.input(`${layer}${cacheInfix}${kind}`, {
    label: asWires ? "shared" : "client",
    element: f32,
    shape,
    ...(asWires && { sharing: "masked" }),
  });
  return asWires ? id : builder.op("share", [id], {}, nodeNames(layer, kind));
}
