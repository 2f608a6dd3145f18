import type { Op, ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { Family, Setting } from "../../runtime/protocols/kit/index.ts";
import type { FormulaBuilder } from "./formula-builder.ts";

/** An operator written out in others: the value that stands for its result, or undefined to leave the op as it is. */
export type Expansion = (op: Op, maths: FormulaBuilder) => ValueId | undefined;

/** How a published system computes: which functions stand for which, in which ring, and by whose protocols. */
export interface Preset {
  readonly name: string;
  /** Paper and section, and the version of the code that was read. */
  readonly source: string;
  readonly settings: readonly Setting[];
  /** Families of protocols, the preferred ones first. */
  readonly families: readonly Family[];
  /** One ring for every share, as systems with one ring have it; absent: planned value by value. */
  readonly ring?: number;
  /** Rings of its own for models that its authors ran in another one. */
  readonly rings?: Readonly<Record<string, number>>;
  readonly precision: Precision;
  /** Names of our rewrites (2-rewrite) that the system does not make. */
  readonly without?: readonly string[];
  /** Operator that made a value → protocol that truncates it; absent: the cheapest of the families. */
  readonly truncations?: Readonly<Record<string, string>>;
  /** Its numbers have a meaning with exact truncations only. */
  readonly truncation?: "exact";
  /** Operator in ir/ops → what it is computed as. Applied until none matches: an expansion may use other entries. */
  readonly rewrites: Readonly<Record<string, Expansion>>;
}

/** Every value at the same fractional bits, products truncated where they are made. Weights keep 12: their public form has 16 bits (4-quantize/precision.ts). */
export const uniformPrecision = (bits: number): Precision => ({
  activation: bits,
  weight: 12,
  query: bits,
  value: bits,
  probability: bits,
  sum: bits,
});
