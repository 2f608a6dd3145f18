import type { Literal } from "./token-reader.ts";

type ShapeList = readonly number[];
type LiteralAttrs = Readonly<Record<string, Literal>>;

/**
 * Computes the shape of a party's local result from the operand shapes, so that a program cannot declare a smaller
 * value. Undefined where the operands do not fit.
 */
type ShapeRule = (operands: readonly ShapeList[], attrs: LiteralAttrs, said: ShapeList) => ShapeList | undefined;

/** A list attribute; empty for any other value, and then no shape fits. */
const numberList = (attrs: LiteralAttrs, name: string): readonly number[] => {
  const value = attrs[name];
  return Array.isArray(value) ? (value as readonly number[]) : [];
};
const size = (shape: ShapeList): number => shape.reduce((product, dim) => product * dim, 1);
const axisOf = (axis: Literal | undefined, rank: number): number => (Number(axis) + rank) % rank;

function broadcast(a: ShapeList, b: ShapeList): ShapeList | undefined {
  const rank = Math.max(a.length, b.length);
  const pairs = Array.from({ length: rank }, (_, k) => [a[k - rank + a.length] ?? 1, b[k - rank + b.length] ?? 1]);
  if (pairs.some(([x, y]) => x !== y && x !== 1 && y !== 1)) return undefined;
  return pairs.map(([x, y]) => (x === 1 ? y! : x!));
}

const broadcastAll: ShapeRule = ([first, ...rest]) =>
  rest.reduce<ShapeList | undefined>((met, shape) => met && broadcast(met, shape), first);
const sameAsFirst: ShapeRule = ([shape]) => shape;

const matmul: ShapeRule = ([a, b]) => {
  if (!a || !b || a.length < 2 || b.length < 2 || a.at(-1) !== b.at(-2)) return undefined;
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2));
  return batch && [...batch, a.at(-2)!, b.at(-1)!];
};

/** Spatial sizes after a sliding window, after the channels. */
function windowedShape(sizes: ShapeList, kernel: ShapeList, attrs: LiteralAttrs): ShapeList {
  const [strides, pads, dilations] = ["strides", "pads", "dilations"].map((name) => numberList(attrs, name));
  const axes = sizes.length;
  return sizes.map((dim, k) => {
    const room = dim + (pads![k] ?? 0) + (pads![k + axes] ?? 0) - (dilations![k] ?? 1) * (kernel[k]! - 1) - 1;
    return Math.floor(room / (strides![k] ?? 1)) + 1;
  });
}

const rules: Readonly<Record<string, ShapeRule>> = {
  add: broadcastAll,
  sub: broadcastAll,
  mul: broadcastAll,
  rope: ([x, ...tables]) => (tables.every((table) => x && broadcast(x, table)?.join() === x.join()) ? x : undefined),
  neg: sameAsFirst,
  narrow: sameAsFirst,
  cumsum: ([x], attrs) => (x && axisOf(attrs.axis, x.length) < x.length ? x : undefined),
  trilu: ([x]) => (x && x.length > 1 ? x : undefined),
  matmul,
  conv: ([x, w], attrs) => x && w && [x[0]!, w[0]!, ...windowedShape(x.slice(2), w.slice(2), attrs)],
  "sum-pool": ([x], attrs) => x && [...x.slice(0, 2), ...windowedShape(x.slice(2), numberList(attrs, "kernel"), attrs)],
  reshape: ([x], _attrs, said) => (x && size(x) === size(said) ? said : undefined),
  transpose: ([x], attrs) => {
    const perm = numberList(attrs, "perm");
    return x && perm.length === x.length && new Set(perm).size === x.length ? perm.map((axis) => x[axis]!) : undefined;
  },
  expand: ([x], _attrs, said) => x && broadcast(x, said),
  slice: ([x], attrs) => {
    const [starts, ends, steps] = ["starts", "ends", "steps"].map((name) => numberList(attrs, name));
    return x?.map((_, k) => Math.max(0, Math.ceil((ends![k]! - starts![k]!) / steps![k]!)));
  },
  "reduce-sum": ([x], attrs) => {
    const summed = new Set(x && numberList(attrs, "axes").map((axis) => axisOf(axis, x.length)));
    const kept = attrs.keepdims === true;
    return x?.flatMap((dim, k) => (summed.has(k) ? (kept ? [1] : []) : [dim]));
  },
  concat: (parts, attrs) => {
    const [first] = parts;
    if (!first) return undefined;
    const axis = axisOf(attrs.axis, first.length);
    const fits = parts.every(
      (part) => part.length === first.length && part.every((n, k) => k === axis || n === first[k]),
    );
    return fits ? first.map((n, k) => (k === axis ? parts.reduce((sum, part) => sum + part[k]!, 0) : n)) : undefined;
  },
  gather: ([x, indices], attrs) => {
    if (!x || !indices) return undefined;
    const axis = axisOf(attrs.axis, x.length);
    return [...x.slice(0, axis), ...indices, ...x.slice(axis + 1)];
  },
};

/** By operator name. */
export const localShapes: ReadonlyMap<string, ShapeRule> = new Map(Object.entries(rules));
