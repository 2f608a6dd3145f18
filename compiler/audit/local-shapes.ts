import type { Literal } from "./token-reader.ts";

export type ShapeList = readonly number[];
export type LiteralAttrs = Readonly<Record<string, Literal>>;

/**
 * Computes the shape of a result from the operand shapes, so that a program cannot declare a smaller
 * value. Undefined where the operands do not fit.
 */
export type ShapeRule = (operands: readonly ShapeList[], attrs: LiteralAttrs, said: ShapeList) => ShapeList | undefined;

/** A list attribute; empty for any other value, and then no shape fits. */
const numberList = (attrs: LiteralAttrs, name: string): readonly number[] => {
  const value = attrs[name];
  return Array.isArray(value) ? (value as readonly number[]) : [];
};
const size = (shape: ShapeList): number => shape.reduce((product, dim) => product * dim, 1);
export const axisOf = (axis: Literal | undefined, rank: number): number => (Number(axis) + rank) % rank;

export function broadcast(a: ShapeList, b: ShapeList): ShapeList | undefined {
  const rank = Math.max(a.length, b.length);
  const pairs = Array.from({ length: rank }, (_, k) => [a[k - rank + a.length] ?? 1, b[k - rank + b.length] ?? 1]);
  if (pairs.some(([x, y]) => x !== y && x !== 1 && y !== 1)) return undefined;
  return pairs.map(([x, y]) => (x === 1 ? y! : x!));
}

export const broadcastAll: ShapeRule = ([first, ...rest]) =>
  rest.reduce<ShapeList | undefined>((met, shape) => met && broadcast(met, shape), first);
export const sameAsFirst: ShapeRule = ([shape]) => shape;

export const matmul: ShapeRule = ([a, b]) => {
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

/** Whether the attribute is the shape that the result has. */
const isShape = (attrs: LiteralAttrs, said: ShapeList): boolean => numberList(attrs, "shape").join() === said.join();

export const convolved: ShapeRule = ([x, w], attrs) =>
  x && w && [x[0]!, w[0]!, ...windowedShape(x.slice(2), w.slice(2), attrs)];
export const pooled: ShapeRule = ([x], attrs) =>
  x && [...x.slice(0, 2), ...windowedShape(x.slice(2), numberList(attrs, "kernel"), attrs)];
export function reduced(x: ShapeList, axes: readonly number[], attrs: LiteralAttrs): ShapeList {
  const gone = new Set(axes.map((axis) => axisOf(axis, x.length)));
  return x.flatMap((dim, k) => (gone.has(k) ? (attrs.keepdims === true ? [1] : []) : [dim]));
}
export const gathered: ShapeRule = ([x, indices], attrs) => {
  if (!x || !indices) return undefined;
  const axis = axisOf(attrs.axis, x.length);
  return [...x.slice(0, axis), ...indices, ...x.slice(axis + 1)];
};

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
  conv: convolved,
  "sum-pool": pooled,
  reshape: ([x], attrs, said) => (x && size(x) === size(said) && isShape(attrs, said) ? said : undefined),
  transpose: ([x], attrs) => {
    const perm = numberList(attrs, "perm");
    return x && perm.length === x.length && new Set(perm).size === x.length ? perm.map((axis) => x[axis]!) : undefined;
  },
  expand: ([x], attrs, said) => (x && isShape(attrs, said) ? broadcast(x, said) : undefined),
  slice: ([x], attrs) => {
    const [starts, ends, steps] = ["starts", "ends", "steps"].map((name) => numberList(attrs, name));
    return x?.map((_, k) => Math.max(0, Math.ceil((ends![k]! - starts![k]!) / steps![k]!)));
  },
  "reduce-sum": ([x], attrs) => x && reduced(x, numberList(attrs, "axes"), attrs),
  concat: (parts, attrs) => {
    const [first] = parts;
    if (!first) return undefined;
    const axis = axisOf(attrs.axis, first.length);
    const fits = parts.every(
      (part) => part.length === first.length && part.every((n, k) => k === axis || n === first[k]),
    );
    return fits ? first.map((n, k) => (k === axis ? parts.reduce((sum, part) => sum + part[k]!, 0) : n)) : undefined;
  },
  gather: gathered,
};

/** By operator name. */
export const localShapes: ReadonlyMap<string, ShapeRule> = new Map(Object.entries(rules));
