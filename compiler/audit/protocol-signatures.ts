/**
 * What the flow checker trusts: the operand forms and the result form of each protocol. Everything that a protocol
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
  /** The last form repeats for protocols with any number of operands. */
  readonly operands: readonly SharingForm[];
  readonly result: "share" | "masked" | "replicated" | "opened" | "kept";
  readonly settings: readonly string[];
}

/** Protocols of a client, a server and a dealer, who may also be the third of three parties. */
const dealerProtocols: Readonly<Record<string, string>> = {
  // A party's input becomes shares; a declared output becomes known to its reader; shares become a masked value.
  seededShare: "client -> share",
  seededServerShare: "server -> share",
  oneWayReveal: "share -> opened",
  // Shares leave a program, and enter a later one.
  seededHandOver: "share -> kept",
  seededTakeOver: "residue -> share",
  maskedOpen: "share -> masked",
  // From shares or masked values to shares.
  a2bCast: "share -> share",
  a2bCompare: "share share -> share",
  a2bComparePublic: "share public -> share",
  a2bRelu: "share -> share",
  beaverMatmul: "share share -> share",
  beaverMul: "share share -> share",
  beaverSquare: "share -> share",
  beaverWeightMatmul: "share weight -> share",
  beaverWeightMul: "share weight -> share",
  beaverWhere: "share share share -> share",
  bitExtend: "masked -> share",
  bitWhere: "share public public -> share",
  coarseMaxAttention: "masked masked masked share -> share",
  coarseMaxAttentionKnownMask: "masked masked masked public -> share",
  coarseMaxCachedAttention: "masked -> share",
  coarseMaxSoftmax: "share -> share",
  dpfLookup: "masked public -> share",
  faithfulTruncate: "masked -> share",
  fixedWeightMatmul: "masked fixed -> share",
  fourierErf: "masked -> share",
  fourierGelu: "masked -> share",
  fourierSigmoid: "masked -> share",
  fourierSilu: "masked -> share",
  fourierTanh: "masked -> share",
  knownWeightConv: "share weight -> share",
  knownWeightLowRank: "share weight -> share",
  knownWeightMatmul: "share weight -> share",
  knownWeightMul: "share weight -> share",
  localLogic: "share public -> share",
  maskedAbs: "masked -> share",
  maskedCompare: "share -> share",
  maskedConv: "masked -> share",
  maskedExtend: "masked -> share",
  maskedLogic: "share -> share",
  maskedMatmul: "masked -> share",
  maskedMaximum: "share -> share",
  maskedMinimum: "share -> share",
  maskedMul: "masked -> share",
  maskedRelu: "masked -> share",
  maskedWhere: "share -> share",
  maskedWhereElse: "share public share -> share",
  maskedWherePublic: "share share public -> share",
  oneOpeningLayerNorm: "masked -> share",
  oneOpeningRmsNorm: "masked -> share",
  openedSine: "share -> share",
  otttLookup: "masked public -> share",
  pairwiseRank: "masked -> share",
  rangeReducedLog: "masked -> share",
  rangeReducedReciprocal: "masked -> share",
  rangeReducedRsqrt: "masked -> share",
  rangeReducedSqrt: "masked -> share",
  separableExp: "share -> share",
  sigmaAttention: "masked -> share",
  sigmaGelu: "masked -> share",
  sigmaLayerNorm: "masked -> share",
  sigmaMatmul: "masked fixed -> share",
  sigmaMul: "masked fixed -> share",
  sigmaRmsNorm: "masked -> share",
  sigmaSharedMatmul: "masked -> share",
  sigmaSharedMul: "masked -> share",
  sigmaSilu: "masked -> share",
  sigmaTruncate: "masked -> share",
  sigmaTruncateWithSlack: "masked -> share",
  tableSelectByRank: "masked -> share",
  thresholdClip: "masked -> share",
  thresholdCompare: "masked public -> share",
  thresholdMaximum: "share public -> share",
  thresholdMinimum: "share public -> share",
  thresholdOutside: "masked -> share",
  thresholdSign: "masked -> share",
  tournamentArgmax: "masked -> share",
  tournamentMaxPool: "masked -> share",
  tournamentReduceMax: "masked -> share",
  tournamentReduceMin: "masked -> share",
};

/** Without traffic: in every setting. */
const localProtocols: Readonly<Record<string, string>> = {
  localCast: "share -> share",
  localNot: "share -> share",
  localTruncate: "share -> share",
  sameRingTruncate: "share -> share",
};

/** Protocols in which the third party computes too. */
const threePartyProtocols: Readonly<Record<string, string>> = {
  replicatedShare: "client -> replicated",
  replicatedServerShare: "server -> replicated",
  replicatedReveal: "replicated -> opened",
  // Rows of a private table at indices of the client: no other party learns the indices.
  privateLookup: "weight client -> share",
  replicatedCast: "replicated -> replicated",
  replicatedCompare: "replicated -> replicated",
  replicatedComparePublic: "replicated public -> replicated",
  replicatedLogic: "replicated -> replicated",
  replicatedMatmul: "replicated -> replicated",
  replicatedMaximum: "replicated -> replicated",
  replicatedMaximumPublic: "replicated public -> replicated",
  replicatedMul: "replicated -> replicated",
  replicatedNot: "replicated -> replicated",
  replicatedReduceMax: "replicated -> replicated",
  replicatedRelu: "replicated -> replicated",
  replicatedSquare: "replicated -> replicated",
  replicatedTruncate: "replicated -> replicated",
  replicatedTruncateUnchecked: "replicated -> replicated",
  replicatedWeightMatmul: "replicated weight -> replicated",
  replicatedWeightMul: "replicated weight -> replicated",
  replicatedWhere: "replicated -> replicated",
  replicatedWhereElsePublic: "replicated replicated public -> replicated",
  replicatedWherePublic: "replicated public replicated -> replicated",
};

function parseSignatures(
  table: Readonly<Record<string, string>>,
  settings: readonly string[],
): [string, ProtocolSignature][] {
  return Object.entries(table).map(([name, row]): [string, ProtocolSignature] => {
    const [takes, gives] = row.split(" -> ") as [string, string];
    return [
      name,
      { operands: takes.split(" ") as SharingForm[], result: gives as ProtocolSignature["result"], settings },
    ];
  });
}

/** By the name that programs call. */
export const protocolSignatures: ReadonlyMap<string, ProtocolSignature> = new Map([
  ...parseSignatures(dealerProtocols, ["2pc-dealer", "3pc"]),
  ...parseSignatures(localProtocols, ["2pc-dealer", "3pc", "2pc"]),
  ...parseSignatures(threePartyProtocols, ["3pc"]),
]);

/** Protocols whose name differs from the export that programs call. */
const exportNames: ReadonlyMap<string, string> = new Map([["opened.sine-series", "openedSine"]]);

/** The export that programs call for a protocol of program.mir. */
export const exportNameOf = (protocol: string): string =>
  exportNames.get(protocol) ?? protocol.replace(/[.-]([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
