import * as protocols from "../../runtime/protocols/index.ts";
import { fixed } from "./execute-protocol.ts";
import {
  attended,
  dealing,
  elementwise,
  inWideRing,
  matrices,
  normed,
  opening,
  rowDiffers,
  spec,
  type TestedCase,
  tested,
  withSamples,
} from "./leak-table.ts";

/** SIGMA's protocols: keys of point functions, which are slow to expand, and every result is opened. */
export const sigmaCases: readonly TestedCase[] = withSamples(3000, [
  ...[protocols.sigmaTruncate, protocols.sigmaTruncateWithSlack].map((protocol) =>
    tested(
      protocol,
      // Far apart in the dropped bits too: the borrow depends on them.
      [[[-(2 ** 33) - 1]], [[13846]]],
      spec(
        (n) => [fixed([n], 24, -1000, 1000)],
        (n) => fixed([n], 12, -1000, 1000, 37),
        { by: 12 },
      ),
      [...opening, "a selecting bit is opened unmasked"],
    ),
  ),
  ...[protocols.sigmaMatmul, protocols.sigmaSharedMatmul].map((protocol) =>
    tested(protocol, rowDiffers, matrices, [...opening, ...dealing, "mask is drawn from 2^26"]),
  ),
  ...[protocols.sigmaMul, protocols.sigmaSharedMul].map((protocol) =>
    tested(
      protocol,
      [
        [[-60001], [20]],
        [[12346], [20]],
      ],
      spec(
        (n) => [fixed([n], 12, -16, 16), fixed([n], 12, -16, 16)],
        (n) => fixed([n], 12, -256, 256, 40),
      ),
      [...inWideRing, ...dealing],
    ),
  ),
  ...[protocols.sigmaGelu, protocols.sigmaSilu].map((protocol) =>
    tested(protocol, [[[-80001]], [[7000]]], elementwise(12, 12, 32, 40), [
      ...inWideRing,
      "a selecting bit is opened unmasked",
    ]),
  ),
  ...[protocols.sigmaRmsNorm, protocols.sigmaLayerNorm].map((protocol) =>
    tested(
      protocol,
      normed,
      spec(
        (n) => [fixed([n, 2], 12, -4, 4)],
        (n) => fixed([n, 2], 12, -2, 2, 44),
        { epsilon: 1e-5, sum_lo: 2, sum_hi: 32 },
      ),
      [...inWideRing, ...dealing, "a selecting bit is opened unmasked"],
    ),
  ),
  tested(
    protocols.sigmaAttention,
    attended,
    spec(
      (n) => [fixed([n, 1, 2, 1], 12, -2, 2), fixed([n, 1, 2, 1], 12, -2, 2), fixed([n, 1, 2, 1], 12, -3, 3)],
      (n) => fixed([n, 1, 2, 1], 12, -3, 3, 40),
      { scale: 1, causal: true },
    ),
    [...inWideRing, "a selecting bit is opened unmasked"],
  ),
]);
