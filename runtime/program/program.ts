import type { KnownWeight, MaskedValue, Party, parallel, SharedValue, Steps } from "../core/index.ts";
import type * as protocols from "../protocols/index.ts";
import type { Fixed } from "../protocols/kit/index.ts";
import type { IntTensor } from "../ring/index.ts";
import type { LocalOp, LocalOpName } from "./local-ops.ts";

/**
 * A tensor of the model as the program takes it. `known`: a weight that only the server knows, used by a known-weight
 * protocol in a ring of `width` bits. `fixed`: likewise, but opened once under a mask, as a wire of `width` bits that
 * serves every query. `server`: only the server knows it and only adds it. `public`: both know it. `disclosed`: the
 * dealer knows it too.
 */
export interface WeightDecl {
  readonly form: "known" | "fixed" | "server" | "public" | "disclosed";
  /** Name in the party's weight file. */
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly width: number;
  readonly scale: number;
  /** The body takes one row of it along this axis: that of the place which the query is about. */
  readonly rowAxis?: number;
}

/**
 * A wire that a query leaves for later ones: its shape has the places of this query along `keptAxis`. `past`: rows of
 * earlier queries that the body can read, at most; 0: it starts anew.
 */
export interface CachedDecl extends Fixed {
  readonly past: number;
}

export interface OutputDecl extends Fixed {
  readonly to: "client" | "server";
}

/** What a program body calls: the protocols by export name, the local operators, and lock step. */
export interface Toolbox {
  readonly protocols: typeof protocols;
  readonly local: Readonly<Record<LocalOpName, LocalOp>>;
  readonly parallel: typeof parallel;
}

export type HeldWeight = KnownWeight | MaskedValue | IntTensor;

/**
 * A compiled program. One body for all roles: a party runs it on its own shares, the dealer on the masks, the cost
 * model on shapes. Inputs are integers at the client and ghosts elsewhere. A generated program tells the names of its
 * inputs and weights, so that its body is checked against them.
 */
export interface Program<
  Input extends string = string,
  Weight extends string = string,
  Cached extends string = string,
> {
  readonly name: string;
  /** SHA-256 of the scheduled module's text, hex. */
  readonly hash: string;
  readonly setting: string;
  readonly inputs: Readonly<Record<Input, Fixed>>;
  readonly outputs: Readonly<Record<string, OutputDecl>>;
  readonly weights: Readonly<Record<Weight, WeightDecl>>;
  /** Of each the body gives back the new rows, and reads those before; all of one query count the same rows. */
  readonly cached?: Readonly<Record<Cached, CachedDecl>>;
  // A method, not a function property: a program that names its inputs is a program all the same.
  body(
    tools: Toolbox,
    party: Party,
    inputs: Readonly<Record<Input, IntTensor>>,
    weights: Readonly<Record<Weight, HeldWeight>>,
    cached: Readonly<Record<Cached, MaskedValue>>,
  ): Steps<Readonly<Record<string, SharedValue>>>;
}
