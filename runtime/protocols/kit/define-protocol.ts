import type { KnownWeight, Party, SharedValue, Steps } from "../../core/index.ts";
import type { IntTensor, Shape } from "../../ring/index.ts";

/** Facts about an operand or a result that protocols need. */
export interface Fixed {
  readonly shape: Shape;
  /** Ring width in bits. */
  readonly width: number;
  /** Fractional bits. */
  readonly scale: number;
  /** Bounds of the real value. Public: they come from calibration on public inputs. */
  readonly lo: number;
  readonly hi: number;
}

/**
 * The form of an operand: additive shares, a masked value, replicated shares, a private weight (`weight`: the server
 * knows it; `fixed`: opened once under a mask, for all queries), or integers: `public` ones, which the client knows at
 * least, those of the `server` alone, or a `residue` of each of the two.
 */
export type OperandForm = "share" | "masked" | "replicated" | "weight" | "fixed" | "public" | "server" | "residue";
export type Operand = SharedValue | KnownWeight | IntTensor;

/** One execution as plain data, which generated programs contain as it is. */
export interface Spec {
  readonly operands: readonly Fixed[];
  readonly result: Fixed;
  readonly attrs: Readonly<Record<string, number | boolean | string | readonly number[] | readonly string[]>>;
}

/** The parties that take part. `2pc`: client and server only, which no protocol offers yet. */
export type Setting = "2pc-dealer" | "3pc" | "2pc";

/** Origin of the construction: a preset allows the families of its system; our default is "marill". */
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
  /**
   * Difference from the interpreter's result: none, or at most this many units in the last place of the result. `seen`
   * is the spec with the bounds that values keep in one run, at most those that rings and shifts follow from: an error
   * that is a part of a value is a part of what it was.
   */
  readonly accuracy: "exact" | { readonly ulps: (spec: Spec, seen?: Spec) => number };
  /** Probability, per element, of an unbounded error; absent: none. */
  readonly failure?: (spec: Spec) => number;
  /** Required form of each operand; the last form repeats for variadic operators. */
  readonly forms: readonly OperandForm[];
  /** Sharing of the result: additive shares, or a masked value if the protocol opens it. */
  readonly yields: "share" | "masked";
  /** Required ring width of each operand, given the result's width and the known facts. */
  readonly operandWidths: (spec: Spec) => readonly number[];
  /** The masked values must have exactly these rings; by default a wider ring is valid too. */
  readonly exactRings?: true;
  /**
   * Widest ring in which the protocol can return its result; absent: 64. It must not depend on the spec's
   * `result.width`.
   */
  readonly maxResultWidth?: (spec: Spec) => number;
  /** The reason why this protocol does not support the spec, or undefined. */
  readonly refuses?: (spec: Spec) => string | undefined;
  /**
   * Other values of its parameters than the default, as attributes added to the spec's: 5-select takes the cheapest.
   */
  readonly variants?: (spec: Spec) => readonly Spec["attrs"][];
  readonly run: (party: Party, spec: Spec, ...operands: Operand[]) => Steps<SharedValue>;
}

export const defineProtocol = (protocol: Protocol): Protocol => protocol;

/** Most units in the last place between a protocol's result and the interpreter's. */
export const ulpsOf = ({ accuracy }: Protocol, spec: Spec, seen: Spec = spec): number =>
  accuracy === "exact" ? 0 : accuracy.ulps(spec, seen);

/** Whether the result equals the interpreter's bit for bit: some protocols are exact at equal scales only. */
export const isExact = (protocol: Protocol, spec: Spec): boolean =>
  ulpsOf(protocol, spec) === 0 && (protocol.failure?.(spec) ?? 0) === 0;
