import type { KnownWeight, Party, SharedValue, Steps } from "../../core/index.ts";
import type { IntTensor, Shape } from "../../ring/index.ts";

/** What a protocol needs to know of one of its operands or of its result. */
export interface Fixed {
  readonly shape: Shape;
  /** Ring width in bits. */
  readonly width: number;
  /** Fractional bits. */
  readonly scale: number;
  /** Bounds of the real value, public: they come from calibration on public inputs. */
  readonly lo: number;
  readonly hi: number;
}

/**
 * How an operand arrives: additive shares, an opened wire, replicated shares, a weight of the server's (`weight`: known to it, `fixed`:
 * opened under a mask once for all queries), or public integers.
 */
export type OperandForm = "share" | "masked" | "replicated" | "weight" | "fixed" | "public";
export type Operand = SharedValue | KnownWeight | IntTensor;

/** One execution, as plain data: emitted into the generated programs as it is. */
export interface Spec {
  readonly operands: readonly Fixed[];
  readonly result: Fixed;
  readonly attrs: Readonly<Record<string, number | boolean | string | readonly number[] | readonly string[]>>;
}

/** Who takes part. `2pc`: two parties and nobody else, which no protocol offers yet. */
export type Setting = "2pc-dealer" | "3pc" | "2pc";

/** Whose construction it is: a preset allows the families that it is about, our own default is "marill". */
export type Family = "marill" | "crypten" | "sigma" | "replicated";

export interface Protocol {
  /** `<technique>.<operator>` */
  readonly name: string;
  /** Name of the operator in ir/ops. */
  readonly implements: string;
  readonly settings: readonly Setting[];
  /** Default: "marill". */
  readonly family?: Family;
  readonly security: "semi-honest";
  /** Authors, venue, section; or "ours: docs/protocols/…". */
  readonly paper: string;
  /** Difference from the interpreter's result: none, or at most so many units in the last place of the result. */
  readonly accuracy: "exact" | { readonly ulps: (spec: Spec) => number };
  /** Probability, for each element, of an error beyond any bound; absent: none. */
  readonly failure?: (spec: Spec) => number;
  /** Form in which each operand is wanted; the last one repeats for variadic operators. */
  readonly forms: readonly OperandForm[];
  /** Sharing of the result: additive shares unless it opens a wire. */
  readonly yields: "share" | "masked";
  /** Ring width that each operand must have, given the result's width and the facts known so far. */
  readonly operandWidths: (spec: Spec) => readonly number[];
  /** The wires must have exactly those rings; otherwise a wider one serves as well. */
  readonly exactRings?: true;
  /** Widest ring in which it can give its result; absent: 64. `result.width` of the spec does not count here. */
  readonly maxResultWidth?: (spec: Spec) => number;
  /** Why this protocol cannot run the spec, or undefined. */
  readonly refuses?: (spec: Spec) => string | undefined;
  /** Other settings of its parameters than the default, as attributes added to the spec's: 5-select takes the cheapest. */
  readonly variants?: (spec: Spec) => readonly Spec["attrs"][];
  readonly run: (party: Party, spec: Spec, ...operands: Operand[]) => Steps<SharedValue>;
}

export const defineProtocol = (protocol: Protocol): Protocol => protocol;

/** Most units in the last place between a protocol's result and the interpreter's. */
export const ulpsOf = ({ accuracy }: Protocol, spec: Spec): number => (accuracy === "exact" ? 0 : accuracy.ulps(spec));

/** Whether the result is the interpreter's bit for bit: some protocols are exact at equal scales only. */
export const isExact = (protocol: Protocol, spec: Spec): boolean =>
  ulpsOf(protocol, spec) === 0 && (protocol.failure?.(spec) ?? 0) === 0;
