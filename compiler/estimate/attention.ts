import type { Attrs, ValueId } from "../../ir/module.ts";
import { f32, sizeOf } from "../../ir/type.ts";
import { type Tensor, tensor } from "../../ir/weights.ts";
import type { Architecture } from "./architectures.ts";
import { at, type Kit, keptPart } from "./kit.ts";
import { projection } from "./linear.ts";

/** Public tables of the places' rotations, the same for every layer. */
export interface Angles {
  readonly cos: ValueId;
  readonly sin: ValueId;
}

/** Rotations of the places of a query (Su et al., 2021). */
export function rotary({ arch, options, places, table }: Kit): Angles {
  const depth = arch.hidden / arch.heads;
  const shape = [1, 1, places, depth];
  const from = options.phase === "decode" ? options.context! : 0;
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
export function attend(kit: Kit, layer: string, x: ValueId, angles: Angles | undefined): ValueId {
  const { arch, places, builder, options } = kit;
  const { op } = builder;
  const depth = arch.hidden / arch.heads;
  const width = arch.keyHeads * depth;
  const products: Products = {
    query: projection(kit, layer, "query", x, arch.hidden),
    key: projection(kit, layer, "key", x, width),
    value: projection(kit, layer, "value", x, width),
  };
  const { merge = 1 } = options;
  const { together = arch.heads / merge } = options;
  checkGroups(arch, merge, together);
  const size = merge * together;
  const where = at(layer, "attended");
  const starts = [...Array(arch.heads / size).keys()].map((k) => k * size);
  const parts = starts.map((from) => mixed(kit, layer, products, angles, [from, from + size]));
  const all = parts.length === 1 ? parts[0]! : op("concat", parts, { axis: 1 }, where);
  const rows = op("transpose", [all], { perm: [0, 2, 1, 3] }, where);
  const whole = op("reshape", [rows], { shape: [1, places, arch.hidden] }, where);
  return projection(kit, layer, "projected", whole, arch.hidden);
}

/** @throws RangeError where heads cannot be merged so, or put so many to an operator. */
export function checkGroups({ heads, keyHeads }: Architecture, merge: number, together = heads / merge): void {
  const size = merge * together;
  const isPlain = merge === 1 && size === heads;
  if (!isPlain && (keyHeads !== heads || heads % merge !== 0 || heads % size !== 0)) {
    throw new RangeError(
      `${heads} heads, ${keyHeads} of keys: they are not merged by ${merge}, ${together} to an operator`,
    );
  }
}

type Products = Readonly<Record<"query" | "key" | "value", ValueId>>;

/** One operator of attention: the heads from the first to before the last, or all where there are no more. */
function mixed(
  kit: Kit,
  layer: string,
  products: Products,
  angles: Angles | undefined,
  [from, end]: readonly [number, number],
): ValueId {
  const { arch, places, builder, options } = kit;
  const { op } = builder;
  const { merge = 1 } = options;
  const depth = arch.hidden / arch.heads;
  const columns = (kind: string, product: ValueId, heads: number): ValueId => {
    if (end - from >= heads) return product;
    const bounds = { starts: [0, 0, from * depth], ends: [1, places, end * depth], steps: [1, 1, 1] };
    return op("slice", [product], bounds, at(layer, kind));
  };
  const part = (kind: keyof Products, total: number): ValueId => {
    const heads = Math.min(end - from, total);
    const where = at(layer, kind);
    const own = columns(kind, products[kind], total);
    const apart = op("reshape", [own], { shape: [1, places, heads, depth] }, where);
    const rows = op("transpose", [apart], { perm: [0, 2, 1, 3] }, where);
    const turned = angles && kind !== "value" ? op("rope", [rows, angles.cos, angles.sin], {}, where) : rows;
    if (merge === 1) return turned;
    // Neighbouring heads side by side. Rotated before: merged first, they would turn other frequencies.
    const groups = op("reshape", [turned], { shape: [heads / merge, merge, places, depth] }, where);
    const side = op("transpose", [groups], { perm: [0, 2, 1, 3] }, where);
    return op("reshape", [side], { shape: [1, heads / merge, places, merge * depth] }, where);
  };
  const q = part("query", arch.heads);
  const k = part("key", arch.keyHeads);
  const v = part("value", arch.keyHeads);
  // 1/(m·√D) reproduces heads that are equal (docs/rewrite.md).
  const attrs: Attrs = { scale: 1 / (merge * Math.sqrt(depth)), causal: arch.causal };
  const where = at(layer, "attended");
  if (options.phase !== "decode") return op("attention", [q, k, v], attrs, where);
  const past = [kept(kit, layer, "key", k), kept(kit, layer, "value", v)] as const;
  if (options.kept !== "shares") return op("cached-attention", [q, k, v, ...past], attrs, where);
  const joined = (kind: string, before: ValueId, next: ValueId): ValueId =>
    op("concat", [before, next], { axis: 2 }, at(layer, kind));
  return op("attention", [q, joined("key", past[0], k), joined("value", past[1], v)], attrs, where);
}

/** Rows of the places before, like a new one: wires that earlier queries opened, or shares, which enter like an input. */
function kept({ builder, options }: Kit, layer: string, kind: string, next: ValueId): ValueId {
  const shape = builder.type(next).shape.with(2, options.context!);
  const asWires = options.kept !== "shares";
  const id = builder.input(`${layer}${keptPart}${kind}`, {
    label: asWires ? "shared" : "client",
    element: f32,
    shape,
    ...(asWires && { sharing: "wire" }),
  });
  return asWires ? id : builder.op("share", [id], {}, at(layer, kind));
}
