/**
 * What the flow checker trusts: the operator that each protocol computes, the forms of its operands and of its result. Everything that a protocol
 * opens internally is under a fresh mask and reveals nothing (its page in docs/protocols, its row of the leak tests);
 * only `opened` makes a value known. test/compiler/audit/protocol-signatures.test.ts compares this table with the
 * registry of the runtime, export by export.
 */

/**
 * How a value is held: `share` (additive), `wire` (masked value: opened under a mask that the dealer knows),
 * `replicated` (among three), `opened` (known to the reader of a reveal). Not shared: `weight` (known to the server,
 * used hidden), `fixed` (known to the server, opened once under a mask), `server` (known to it, in the clear), `public`
 * (known to both), `client` (its input). Between programs: `residue` (an input of which each party holds its own), `kept`
 * (an output of which each party keeps its own, and nobody reads it).
 */
export type SharingForm =
  | "share"
  | "masked"
  | "replicated"
  | "opened"
  | "weight"
  | "fixed"
  | "server"
  | "public"
  | "client"
  | "residue"
  | "kept";

export interface ProtocolSignature {
  /** The operator of program.mir that it computes. */
  readonly operator: string;
  /** The last form repeats for protocols with any number of operands. */
  readonly operands: readonly SharingForm[];
  readonly result: "share" | "masked" | "replicated" | "opened" | "kept";
  readonly settings: readonly string[];
}

/** Operator, operands and result. Protocols of a client, a server and a dealer, who may also be the third of three parties. */
const dealerProtocols: Readonly<Record<string, string>> = {
  // A party's input becomes shares; a declared output becomes known to its reader; shares become a masked value.
  seededShare: "share: client -> share",
  seededServerShare: "share: server -> share",
  oneWayReveal: "reveal: share -> opened",
  // Shares leave a program, and enter a later one.
  seededHandOver: "hand-over: share -> kept",
  seededTakeOver: "take-over: residue -> share",
  maskedOpen: "open: share -> masked",
  // From shares or masked values to shares.
  a2bCast: "cast: share -> share",
  a2bCompare: "compare: share share -> share",
  a2bComparePublic: "compare: share public -> share",
  a2bRelu: "relu: share -> share",
  beaverMatmul: "matmul: share share -> share",
  beaverMul: "mul: share share -> share",
  beaverSquare: "square: share -> share",
  beaverWeightMatmul: "matmul: share weight -> share",
  beaverWeightMul: "mul: share weight -> share",
  beaverWhere: "where: share share share -> share",
  bitExtend: "extend: masked -> share",
  bitWhere: "where: share public public -> share",
  coarseMaxAttention: "attention: masked masked masked share -> share",
  coarseMaxAttentionKnownMask: "attention: masked masked masked public -> share",
  coarseMaxCachedAttention: "cached-attention: masked -> share",
  coarseMaxSoftmax: "softmax: share -> share",
  dpfLookup: "lookup: masked public -> share",
  faithfulTruncate: "truncate: masked -> share",
  fixedWeightMatmul: "matmul: masked fixed -> share",
  fourierErf: "erf: masked -> share",
  fourierGelu: "gelu: masked -> share",
  fourierSigmoid: "sigmoid: masked -> share",
  fourierSilu: "silu: masked -> share",
  fourierTanh: "tanh: masked -> share",
  knownWeightConv: "conv: share weight -> share",
  knownWeightLowRank: "low-rank: share weight -> share",
  knownWeightMatmul: "matmul: share weight -> share",
  knownWeightMul: "mul: share weight -> share",
  localLogic: "logic: share public -> share",
  maskedAbs: "abs: masked -> share",
  maskedCompare: "compare: share -> share",
  maskedConv: "conv: masked -> share",
  maskedExtend: "extend: masked -> share",
  maskedLogic: "logic: share -> share",
  maskedMatmul: "matmul: masked -> share",
  maskedMaximum: "maximum: share -> share",
  maskedMinimum: "minimum: share -> share",
  maskedMul: "mul: masked -> share",
  maskedRelu: "relu: masked -> share",
  maskedWhere: "where: share -> share",
  maskedWhereElse: "where: share public share -> share",
  maskedWherePublic: "where: share share public -> share",
  oneOpeningLayerNorm: "layer-norm: masked -> share",
  oneOpeningRmsNorm: "rms-norm: masked -> share",
  openedSine: "sine-series: share -> share",
  otttLookup: "lookup: masked public -> share",
  pairwiseRank: "rank: masked -> share",
  rangeReducedLog: "log: masked -> share",
  rangeReducedReciprocal: "reciprocal: masked -> share",
  rangeReducedRsqrt: "rsqrt: masked -> share",
  rangeReducedSqrt: "sqrt: masked -> share",
  separableExp: "exp: share -> share",
  sigmaAttention: "attention: masked -> share",
  sigmaGelu: "gelu: masked -> share",
  sigmaLayerNorm: "layer-norm: masked -> share",
  sigmaMatmul: "matmul: masked fixed -> share",
  sigmaMul: "mul: masked fixed -> share",
  sigmaRmsNorm: "rms-norm: masked -> share",
  sigmaSharedMatmul: "matmul: masked -> share",
  sigmaSharedMul: "mul: masked -> share",
  sigmaSilu: "silu: masked -> share",
  sigmaTruncate: "truncate: masked -> share",
  sigmaTruncateWithSlack: "truncate: masked -> share",
  tableSelectByRank: "select-by-rank: masked -> share",
  thresholdClip: "clip: masked -> share",
  thresholdCompare: "compare: masked public -> share",
  thresholdMaximum: "maximum: share public -> share",
  thresholdMinimum: "minimum: share public -> share",
  thresholdOutside: "outside: masked -> share",
  thresholdSign: "sign: masked -> share",
  tournamentArgmax: "argmax: masked -> share",
  tournamentMaxPool: "max-pool: masked -> share",
  tournamentReduceMax: "reduce-max: masked -> share",
  tournamentReduceMin: "reduce-min: masked -> share",
};

/** Without traffic: in every setting. */
const localProtocols: Readonly<Record<string, string>> = {
  localCast: "cast: share -> share",
  localNot: "not: share -> share",
  localTruncate: "truncate: share -> share",
  sameRingTruncate: "truncate: share -> share",
};

/** Protocols in which the third party computes too. */
const threePartyProtocols: Readonly<Record<string, string>> = {
  replicatedShare: "share: client -> replicated",
  replicatedServerShare: "share: server -> replicated",
  replicatedReveal: "reveal: replicated -> opened",
  // Rows of a private table at indices of the client: no other party learns the indices.
  privateLookup: "gather: weight client -> share",
  replicatedCast: "cast: replicated -> replicated",
  replicatedCompare: "compare: replicated -> replicated",
  replicatedComparePublic: "compare: replicated public -> replicated",
  replicatedLogic: "logic: replicated -> replicated",
  replicatedMatmul: "matmul: replicated -> replicated",
  replicatedMaximum: "maximum: replicated -> replicated",
  replicatedMaximumPublic: "maximum: replicated public -> replicated",
  replicatedMul: "mul: replicated -> replicated",
  replicatedNot: "not: replicated -> replicated",
  replicatedReduceMax: "reduce-max: replicated -> replicated",
  replicatedRelu: "relu: replicated -> replicated",
  replicatedSquare: "square: replicated -> replicated",
  replicatedTruncate: "truncate: replicated -> replicated",
  replicatedTruncateUnchecked: "truncate: replicated -> replicated",
  replicatedWeightMatmul: "matmul: replicated weight -> replicated",
  replicatedWeightMul: "mul: replicated weight -> replicated",
  replicatedWhere: "where: replicated -> replicated",
  replicatedWhereElsePublic: "where: replicated replicated public -> replicated",
  replicatedWherePublic: "where: replicated public replicated -> replicated",
};

function parseSignatures(
  table: Readonly<Record<string, string>>,
  settings: readonly string[],
): [string, ProtocolSignature][] {
  return Object.entries(table).map(([name, row]): [string, ProtocolSignature] => {
    const [operator, takes, gives] = row.split(/: | -> /) as [string, string, string];
    return [
      name,
      { operator, operands: takes.split(" ") as SharingForm[], result: gives as ProtocolSignature["result"], settings },
    ];
  });
}

/** By the name that programs call. */
export const protocolSignatures: ReadonlyMap<string, ProtocolSignature> = new Map([
  ...parseSignatures(dealerProtocols, ["2pc-dealer", "3pc"]),
  ...parseSignatures(localProtocols, ["2pc-dealer", "3pc", "2pc"]),
  ...parseSignatures(threePartyProtocols, ["3pc"]),
]);

/**
 * Protocols whose rounding depends on the shares: the carry of their low bits. `scale`: only where the result has fewer
 * fractional bits than the operands have together.
 */
const roundings: Readonly<Record<string, "always" | "scale">> = {
  ...{ a2bRelu: "scale", maskedRelu: "scale", replicatedRelu: "scale" },
  ...{ beaverMul: "scale", beaverSquare: "scale", beaverWeightMul: "scale", maskedMul: "scale" },
  ...{ replicatedMul: "scale", replicatedSquare: "scale", replicatedWeightMul: "scale" },
  ...{ coarseMaxAttention: "always", coarseMaxAttentionKnownMask: "always", coarseMaxCachedAttention: "always" },
  ...{ coarseMaxSoftmax: "always", separableExp: "always", sigmaAttention: "always" },
  ...{ fourierErf: "always", fourierGelu: "always", fourierSigmoid: "always", fourierSilu: "always" },
  ...{ fourierTanh: "always", openedSine: "always", sigmaGelu: "always", sigmaSilu: "always" },
  ...{ localTruncate: "always", sameRingTruncate: "always" },
  ...{ replicatedTruncate: "always", replicatedTruncateUnchecked: "always" },
  ...{ oneOpeningLayerNorm: "always", oneOpeningRmsNorm: "always" },
  ...{ rangeReducedLog: "always", rangeReducedReciprocal: "always" },
  ...{ rangeReducedRsqrt: "always", rangeReducedSqrt: "always", sigmaLayerNorm: "always", sigmaRmsNorm: "always" },
};
export const protocolRoundings: ReadonlyMap<string, "always" | "scale"> = new Map(Object.entries(roundings));

/** Protocols whose name differs from the export that programs call. */
const exportNames: ReadonlyMap<string, string> = new Map([["opened.sine-series", "openedSine"]]);

/** The export that programs call for a protocol of program.mir. */
export const exportNameOf = (protocol: string): string =>
  exportNames.get(protocol) ?? protocol.replace(/[.-]([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
