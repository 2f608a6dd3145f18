import type { Label } from "../label.ts";
import type { Attrs } from "../module.ts";
import type { Tensor } from "../tensor.ts";
import type { Element, Interval, Shape, Sharing } from "../type.ts";

export type AttrKind = "int" | "float" | "bool" | "string" | "ints" | "floats" | "strings";
export interface AttrDef {
  readonly kind: AttrKind;
  /** Absent: the attribute must be given. */
  readonly default?: number | boolean | string | readonly number[] | readonly string[];
  readonly summary?: string;
}

/** How an ONNX node maps onto the operator one to one; anything less direct is lowered in compiler/onnx/import/lower. */
export interface OnnxBinding {
  readonly op: string;
  /** "" is the default domain. */
  readonly domain?: string;
  /** ONNX attributes (numbers, strings, arrays by name) to ours; absent: no attributes. */
  readonly attrs?: (onnx: Attrs) => Attrs;
}

/**
 * Fractional bits of an operator: at which scale each operand is wanted and which scale the result then has.
 * `operands` are the scales at hand (undefined for a plain public constant, which is free to take any).
 */
export interface ScaleRule {
  readonly operands: readonly number[];
  readonly result: number;
}
export interface Precision {
  /** Fractional bits of activations. */
  readonly activation: number;
  /** Fractional bits of weights and public factors. */
  readonly weight: number;
  /** Fractional bits of queries and keys; of values; of softmax weights. */
  readonly query: number;
  readonly value: number;
  readonly probability: number;
  /** Most fractional bits of a sum of secrets; absent: what its terms have, and what exceeds is truncated once behind it. */
  readonly sum?: number;
}

/** An operator is one table: everything that any pass asks about it. */
export interface OpDef {
  readonly name: string;
  readonly summary: string;
  /** Names of the operands; a trailing `?` marks an optional one, a trailing `…` one or more. */
  readonly operands: readonly string[];
  readonly attrs: Readonly<Record<string, AttrDef>>;
  readonly onnx?: readonly OnnxBinding[];
  /** Shape of the result; throws a plain Error whose message says what was expected and found. */
  readonly shape: (operands: readonly Shape[], attrs: Attrs) => Shape;
  /** Element of the result; default: that of the first operand. `current`: the form that a protocol may have given. */
  readonly element?: (operands: readonly Element[], attrs: Attrs, current?: Element) => Element;
  /** Its protocols may give the result in any ring, whatever ring the operands have. */
  readonly anyRing?: true;
  /** How a shared result is held, where the operator is about nothing else; default: what its protocol yields. */
  readonly sharing?: Sharing;
  /** Default: the join of the operands. */
  readonly label?: (operands: readonly Label[], attrs: Attrs) => Label;
  /** Scales under MPC; absent: the operator has no meaning on shared values (it must stay outside). */
  readonly scales?: (operands: readonly (number | undefined)[], attrs: Attrs, precision: Precision) => ScaleRule;
  /** Interval that surely holds the result when the operands are in theirs. */
  readonly range: (operands: readonly Interval[], attrs: Attrs, shapes: readonly Shape[]) => Interval;
  /**
   * joint: linear in all operands together (add, reshape): free on shares whatever the labels.
   * each: linear in each operand (matmul, mul): free while at most one operand is not public.
   * none: needs a protocol as soon as one operand is shared.
   */
  readonly linear: "joint" | "each" | "none";
  /**
   * Positions of operands that choose rather than count (indices, conditions). `linear` is said of the others, and
   * holds only while these are public.
   */
  readonly selectors?: readonly number[];
  /** Positions of operands that are whole numbers, and no reals that happen to be whole. */
  readonly indices?: readonly number[];
  /** Fractional bits of the exact result on raw integers; default: joint: those of the operands, each: their sum. */
  readonly exactScale?: (operands: readonly number[]) => number;
  /** The real function, in float64: naive and obviously right. Booleans are 0 and 1. */
  readonly evaluate: (operands: readonly Tensor[], attrs: Attrs) => Tensor;
  /**
   * What the operator means on fixed point. "integers": evaluate on the raw integers, exactly (linear operators).
   * "rounded": evaluate on the reals that the operands stand for, then round to nearest at the result's scale.
   * A function: its own exact integer semantics.
   */
  readonly fixed:
    | "integers"
    | "rounded"
    | ((raw: readonly Tensor[], attrs: Attrs, scales: readonly number[], resultScale: number) => Tensor);
}

export const defineOp = (def: OpDef): OpDef => def;
