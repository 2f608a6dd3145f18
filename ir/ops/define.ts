import type { Label } from "../label.ts";
import type { Attrs } from "../module.ts";
import type { Tensor } from "../tensor.ts";
import type { Element, Interval, Shape, Sharing } from "../type.ts";

export type AttrKind = "int" | "float" | "bool" | "string" | "ints" | "floats" | "strings";
export interface AttrDef {
  readonly kind: AttrKind;
  /** Absent: the attribute is required. */
  readonly default?: number | boolean | string | readonly number[] | readonly string[];
  readonly summary?: string;
}

/** Maps an ONNX node one to one onto the operator; compiler/onnx/import/lower does anything less direct. */
export interface OnnxBinding {
  readonly op: string;
  /** "" is the default domain. */
  readonly domain?: string;
  /** ONNX attributes (numbers, strings, arrays by name) to ours; absent: no attributes. */
  readonly attrs?: (onnx: Attrs) => Attrs;
}

/** Fractional bits that an operator wants of each operand, and those that its result then has. */
export interface ScaleRule {
  readonly operands: readonly number[];
  readonly result: number;
}
export interface Precision {
  /** Fractional bits of activations. */
  readonly activation: number;
  /** Fractional bits of weights and public factors, at least. */
  readonly weight: number;
  /**
   * Bits of a weight below its public magnitude, if those are more: a product is off by 2^−significant, however small
   * its weights are. Absent: `weight` alone.
   */
  readonly significant?: number;
  /** Values that are small beside 1 where that matters have more fractional bits. Absent: all have the same. */
  readonly fine?: boolean;
  /** Fractional bits of queries and keys; of values; of softmax results. */
  readonly query: number;
  readonly value: number;
  readonly probability: number;
  /** Maximum fractional bits of a sum of secrets. Absent: those of its terms, with one truncation behind the sum. */
  readonly sum?: number;
}

/** What is public of an operator's values beside their scales. */
export interface KnownValues {
  readonly shapes: readonly Shape[];
  readonly ranges: readonly Interval[];
  readonly result: Interval;
  /** Fractional bits that readers want of the result, at least those of activations. */
  readonly wanted: number;
  /** Largest magnitudes on public inputs, 0 where nothing is known; absent: precision does not follow them. */
  readonly magnitudes?: { readonly operands: readonly number[]; readonly result: number };
}

/** An operator is one table with everything that passes ask about it. */
export interface OpDef {
  readonly name: string;
  readonly summary: string;
  /** Names of the operands; a trailing `?` marks an optional one, a trailing `…` one or more. */
  readonly operands: readonly string[];
  readonly attrs: Readonly<Record<string, AttrDef>>;
  readonly onnx?: readonly OnnxBinding[];
  /** Shape of the result; throws a plain Error whose message says what was expected and found. */
  readonly shape: (operands: readonly Shape[], attrs: Attrs) => Shape;
  /** Element of the result; default: that of the first operand. `current`: what a protocol may have chosen. */
  readonly element?: (operands: readonly Element[], attrs: Attrs, current?: Element) => Element;
  /** Bits of the ring of its result, whatever its operands and readers want. */
  readonly ring?: number;
  /** Its protocols may return the result in any ring, whatever the operands' ring. */
  readonly anyRing?: true;
  /** How a shared result is held, for operators that change nothing else. Default: as its protocol returns it. */
  readonly sharing?: Sharing;
  /** Default: the join of the operands. */
  readonly label?: (operands: readonly Label[], attrs: Attrs) => Label;
  /**
   * Scales under MPC; absent: the operator has no meaning on shared values and must stay outside. `operands` are the
   * current scales, undefined for a public constant, which may take any. `known` is what else is public: a
   * value that may be small where that matters is wanted with more fractional bits.
   */
  readonly scales?: (
    operands: readonly (number | undefined)[],
    attrs: Attrs,
    precision: Precision,
    known?: KnownValues,
  ) => ScaleRule;
  /** Interval that contains the result whenever the operands are in theirs. */
  readonly range: (operands: readonly Interval[], attrs: Attrs, shapes: readonly Shape[]) => Interval;
  /**
   * joint: linear in all operands together (add, reshape): free on shares whatever the labels.
   * each: linear in each operand (matmul, mul): free while at most one operand is not public.
   * none: needs a protocol as soon as one operand is shared.
   */
  readonly linear: "joint" | "each" | "none";
  /**
   * Positions of the operands that select (indices, conditions). `linear` describes the other operands, and holds only
   * while these are public.
   */
  readonly selectors?: readonly number[];
  /** Positions of the operands that must be integers, not reals with integer values. */
  readonly indices?: readonly number[];
  /** Fractional bits of the exact result on raw integers; default: joint: those of the operands, each: their sum. */
  readonly exactScale?: (operands: readonly number[]) => number;
  /** The real function, in float64: naive and obviously right. Booleans are 0 and 1. */
  readonly evaluate: (operands: readonly Tensor[], attrs: Attrs) => Tensor;
  /**
   * Meaning of the operator in fixed point. "integers": evaluate on the raw integers, exactly (linear operators).
   * "rounded": evaluate on the reals that the operands represent, then round to nearest at the result's scale.
   * A function: its own exact integer semantics.
   */
  readonly fixed:
    | "integers"
    | "rounded"
    | ((raw: readonly Tensor[], attrs: Attrs, scales: readonly number[], resultScale: number) => Tensor);
}

export const defineOp = (def: OpDef): OpDef => def;
