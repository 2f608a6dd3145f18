import type { Op, ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { Family, Setting } from "../../runtime/protocols/kit/index.ts";
import type { FormulaBuilder } from "./formula-builder.ts";

/** Expands an operator into others: returns the value that replaces its result, or undefined to keep the op. */
export type Expansion = (op: Op, maths: FormulaBuilder) => ValueId | undefined;

/** How a published system computes: its formulas, its ring and its protocols. */
export interface Preset {
  readonly name: string;
  /** Paper and section, and the version of the code that was read. */
  readonly source: string;
  readonly settings: readonly Setting[];
  /** Families of protocols, the preferred ones first. */
  readonly families: readonly Family[];
  /** One ring for every share; absent: 5-select plans rings per value. */
  readonly ring?: number;
  /** Rings of the models that its authors ran in another ring. */
  readonly rings?: Readonly<Record<string, number>>;
  readonly precision: Precision;
  /** Names of rewrites (2-rewrite) that the system does not apply. */
  readonly without?: readonly string[];
  /** Operator that produced a value → protocol that truncates it; absent: the cheapest of the families. */
  readonly truncations?: Readonly<Record<string, string>>;
  /** Its formulas need exact truncations. */
  readonly truncation?: "exact";
  /** Operator in ir/ops → its expansion. Applied until none matches: an expansion may use other entries. */
  readonly rewrites: Readonly<Record<string, Expansion>>;
}

/**
 * Families, ring and truncations that a preset allows 5-select to choose from. For a known architecture, the ring is the
 * one that the preset's authors ran it in, if they say.
 */
export function presetLimits(
  { families, ring, rings, truncations }: Preset,
  architecture = "",
): Pick<Preset, "families" | "ring" | "truncations"> {
  const own = rings?.[architecture] ?? ring;
  return { families, ...(own !== undefined && { ring: own }), ...(truncations && { truncations }) };
}

/**
 * Every value at the same fractional bits; products are truncated where they are made. Weights keep 12: their public
 * form has 16 bits (4-quantize/precision.ts).
 */
export const uniformPrecision = (bits: number): Precision => ({
  activation: bits,
  weight: 12,
  query: bits,
  value: bits,
  probability: bits,
  sum: bits,
});
