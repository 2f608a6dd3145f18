import type { KnownWeight, MaskedValue, Party, parallel, SharedValue, Steps } from "../core/index.ts";
import type * as protocols from "../protocols/index.ts";
import type { Fixed } from "../protocols/kit/index.ts";
import type { IntTensor } from "../ring/index.ts";
import type { LocalOp, LocalOpName } from "./local-ops.ts";

/**
 * A weight tensor as the program uses it. `known`: only the server knows it; a known-weight protocol uses it in a ring
 * of `width` bits. `fixed`: likewise, but opened once under a mask, as a masked value of `width` bits that serves every
 * query. `server`: only the server knows it and only adds it. `public`: client and server know it. `disclosed`: the dealer
 * knows it too.
 */
export interface WeightDecl {
  readonly form: "known" | "fixed" | "server" | "public" | "disclosed";
  /** Name in the party's weight file. */
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly width: number;
  readonly scale: number;
  /** The body takes one row along this axis: that of the position which the query is about. */
  readonly rowAxis?: number;
}

/**
 * A masked value that a query caches for later ones. The `sequenceAxis` of its shape has the positions of this query.
 * `past`: maximum number of rows of earlier queries that the body can read; 0: it starts without a cache.
 */
export interface CachedDecl extends Fixed {
  readonly past: number;
}

/** An input of the client's, `of` the server, or `shared`: each of the two has a residue. */
export interface InputDecl extends Fixed {
  readonly of?: "server" | "shared";
}

/** `shared`: nobody reads the output, and each of client and server keeps its residue. */
export interface OutputDecl extends Fixed {
  readonly to: "client" | "server" | "shared";
}

/** What a program body calls: the protocols by export name, the local operators, and `parallel`. */
export interface Toolbox {
  readonly protocols: typeof protocols;
  readonly local: Readonly<Record<LocalOpName, LocalOp>>;
  readonly parallel: typeof parallel;
}

export type HeldWeight = KnownWeight | MaskedValue | IntTensor;

/**
 * A compiled program. One body serves all roles: a party runs it on its own shares, the dealer on the masks, the cost
 * model on shapes. Inputs are integers at the party that has them and meta tensors elsewhere. A generated program gives the names of
 * its inputs and weights as types, so that the compiler checks its body against them.
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
  readonly inputs: Readonly<Record<Input, InputDecl>>;
  readonly outputs: Readonly<Record<string, OutputDecl>>;
  readonly weights: Readonly<Record<Weight, WeightDecl>>;
  /**
   * Of each entry the body returns the new rows and reads the earlier ones; all entries of a query have the same rows.
   */
  readonly cached?: Readonly<Record<Cached, CachedDecl>>;
  // A method, not a function property: a program with named inputs stays assignable to `Program`.
  body(
    tools: Toolbox,
    party: Party,
    inputs: Readonly<Record<Input, IntTensor>>,
    weights: Readonly<Record<Weight, HeldWeight>>,
    cached: Readonly<Record<Cached, MaskedValue>>,
  ): Steps<Readonly<Record<string, SharedValue>>>;
}
