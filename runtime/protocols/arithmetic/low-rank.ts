import type { KnownWeight, Party, Share, Steps } from "../../core/index.ts";
import { add, concat, matmul, matmulInteger, metaTensor, type RingTensor, slice, sub } from "../../ring/index.ts";
import { defineProtocol } from "../kit/index.ts";
import { knownWeightDefaults } from "./known-weight.ts";

/** The columns of y = x·A that each B multiplies. */
function columnBlocks(y: RingTensor, bs: readonly KnownWeight[]): readonly RingTensor[] {
  let from = 0;
  return bs.map(({ shape: [rows] }) => {
    const starts = y.shape.map(() => 0).with(-1, from);
    from += rows!;
    return slice(y, starts, [...y.shape].with(-1, from));
  });
}

const concatColumns = (parts: readonly RingTensor[]): RingTensor => concat(parts, parts[0]!.shape.length - 1);

/**
 * [x·A₁·B₁ | x·A₂·B₂ | …] for private matrices of the server (ours: docs/protocols/known-weight.md). The client's share
 * of y = x·A follows from correlations alone, so the client knows its message for the second product before it knows x,
 * and sends it with the message for the first. A known-weight product behind a known-weight product costs no round. 1
 * round, width bits per element of x and of y, one way; dealer: width bits per element of y and of the result, to the
 * server only.
 */
function* lowRankProducts(party: Party, x: RingTensor, a: KnownWeight, bs: readonly KnownWeight[]): Steps<Share> {
  const first = party.clientMask(x.shape, x.width);
  const hiddenLow = matmul(first, a.hidden);
  const lowShare = party.dealt(hiddenLow);
  const clientLow = party.offline(() => add(matmul(first, a.pad), lowShare));
  const second = party.clientMask(hiddenLow.shape, x.width);
  const dealt = columnBlocks(second, bs).map((part, k) => party.dealt(matmul(part, bs[k]!.hidden)));
  const clientResult = party.offline(() =>
    concatColumns(columnBlocks(second, bs).map((part, k) => add(matmul(part, bs[k]!.pad), dealt[k]!))),
  );
  const isClient = party.role === "client";
  const [opened, corrected] = yield [
    // x1 − A is uniform: A is fresh and the server does not know it. Safe to send.
    { from: "client", to: "server", tensor: isClient ? sub(x, first) : metaTensor(x.shape, x.width) },
    // y1 − B is uniform for the same reason, with a separate mask. Safe to send.
    { from: "client", to: "server", tensor: isClient ? sub(clientLow, second) : metaTensor(second.shape, x.width) },
  ];
  if (isClient) return { kind: "share", tensor: clientResult };
  const low = add(add(matmulInteger(add(x, opened!), a.values), lowShare), corrected!);
  const products = columnBlocks(low, bs).map((part, k) => add(matmulInteger(part, bs[k]!.values), dealt[k]!));
  return { kind: "share", tensor: concatColumns(products) };
}

export const knownWeightLowRank = defineProtocol({
  ...knownWeightDefaults,
  name: "known-weight.low-rank",
  implements: "low-rank",
  *run(party, _spec, x, a, ...bs) {
    return yield* lowRankProducts(party, (x as Share).tensor, a as KnownWeight, bs as readonly KnownWeight[]);
  },
});
