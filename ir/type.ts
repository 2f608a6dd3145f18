import type { Label } from "./label.ts";

/** Residue mod 2^width in two's complement that stands for raw / 2^scale. */
export interface FixedPoint {
  readonly kind: "fx";
  readonly width: number;
  readonly scale: number;
}
export type PlainElement = { readonly kind: "f32" | "i64" | "bool" };
export type Element = FixedPoint | PlainElement;

/** How a shared value is held once protocols are chosen: additive shares, or a masked value that both parties know. */
export type Sharing = "additive" | "masked";

export type Shape = readonly number[];

export interface TensorType {
  readonly label: Label;
  readonly element: Element;
  readonly shape: Shape;
  readonly sharing?: Sharing;
}

export interface Interval {
  readonly lo: number;
  readonly hi: number;
}

export const f32: PlainElement = { kind: "f32" };
export const i64: PlainElement = { kind: "i64" };
export const bool: PlainElement = { kind: "bool" };
export const fx = (width: number, scale: number): FixedPoint => ({ kind: "fx", width, scale });
/** A secret boolean: the ring of width 1, whose residues are read as 0 and 1. */
export const bit: FixedPoint = fx(1, 0);

export function isFixed(element: Element): element is FixedPoint {
  return element.kind === "fx";
}

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

export const isBit = (element: Element): boolean => isFixed(element) && element.width === 1;

/** Numpy broadcasting of two shapes; undefined when they do not fit. */
export function broadcast(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const x = a[a.length - rank + axis] ?? 1;
    const y = b[b.length - rank + axis] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return undefined;
    out.push(x === 1 ? y : x);
  }
  return out;
}

/** Bits that a two's complement integer needs to hold every value of the interval at this scale. */
export function bitsFor(range: Interval, scale: number): number {
  const magnitude = Math.max(Math.abs(range.lo), Math.abs(range.hi)) * 2 ** scale;
  // One bit alone is a boolean: zero takes a sign and a digit.
  return Math.max(2, Math.ceil(Math.log2(magnitude + 1)) + 1);
}

/** Bits of the smallest ring that holds the interval at this scale. A boolean takes one, read without a sign. */
export function minWidth(range: Interval, { width, scale }: FixedPoint): number {
  const isTruth = width === 1 && scale === 0 && range.lo >= 0 && range.hi <= 1;
  return isTruth ? 1 : bitsFor(range, scale);
}
