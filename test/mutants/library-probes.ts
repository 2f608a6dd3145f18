/** The checks that mutants of single protocols meet: fixed views under two secrets, at sizes at which gross breaks show. */

import * as protocols from "../../runtime/protocols/index.ts";
import type { Protocol, Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { type Corrupted, type LeakCase, leakCase } from "../harness/compare-views.ts";
import { sameViews } from "../harness/enumerate-views.ts";
import { fixed } from "../harness/execute-protocol.ts";
import { rowAt, rowKey } from "../harness/exhaustive-rows.ts";
import { leaks } from "./views.ts";

const everyone: readonly Corrupted[] = ["client", "server", "dealer"];
const one: LeakCase["secrets"] = [[[-60001]], [[12346]]];

/** `operands` values at `from` fractional bits to one at `to`. */
const elementwise =
  (from: number, to: number, width: number, attrs: Spec["attrs"] = {}, operands = 1) =>
  (n: number): Spec => ({
    operands: Array.from({ length: operands }, () => fixed([n], from, -16, 16)),
    result: fixed([n], to, -256, 256, width),
    attrs,
  });
const lookup =
  (bits: number) =>
  (n: number): Spec => ({
    operands: [fixed([n], 0, -(2 ** (bits - 1)), 2 ** (bits - 1)), fixed([2 ** bits], 0, 0, 2 ** 10)],
    result: fixed([n], 0, 0, 2 ** 10, 12),
    attrs: { bits, fraction: 0 },
  });
const looksUp = (protocol: Protocol, bits: number): boolean => {
  const table = Array.from({ length: 2 ** bits }, (_, k) => (k * 7919) % 2 ** 10);
  const secrets: LeakCase["secrets"] = [
    [[3 - 2 ** (bits - 1)], table],
    [[2 ** (bits - 1) - 2], table],
  ];
  return leaks(leakCase(protocol, secrets, lookup(bits)));
};
const product: LeakCase["secrets"] = [
  [[-60001], [20]],
  [[12346], [30001]],
];
const rows = [100, -2000, 30000, 4, 5];

/** Every probe; true: it objects. */
export const libraryProbes = {
  "replicated product: fixed view": () =>
    leaks(leakCase(protocols.replicatedMul, product, elementwise(12, 24, 64, {}, 2)), everyone),
  "replicated input: fixed view": () =>
    leaks(leakCase(protocols.replicatedShare, one, elementwise(12, 12, 64)), ["server", "dealer"]),
  "replicated server's input: fixed view": () =>
    leaks(leakCase(protocols.replicatedServerShare, one, elementwise(12, 12, 64)), ["client", "dealer"]),
  "replicated truncation: fixed view": () =>
    leaks(leakCase(protocols.replicatedTruncate, one, elementwise(12, 10, 24, { by: 2 })), everyone),
  "replicated output: fixed view of the helper": () =>
    ["client", "server"].some((to) =>
      leaks(leakCase(protocols.replicatedReveal, one, elementwise(12, 12, 64, { to })), ["dealer"]),
    ),
  "private lookup: fixed view": () =>
    leaks(
      leakCase(
        protocols.privateLookup,
        [
          [rows, [1]],
          [rows, [4]],
        ],
        (n) => ({
          operands: [fixed([5, 1], 12, -16, 16), fixed([n], 0, 0, 4)],
          result: fixed([n, 1], 12, -16, 16, 40),
          attrs: { axis: 0 },
        }),
      ),
      ["server", "dealer"],
    ),
  "private lookup: all randomness but the key's": () => !sameViews([0, 1].map(rowAt), "server", undefined, rowKey),
  "comparison by a point function: fixed view": () =>
    leaks(
      leakCase(protocols.maskedRelu, [[[-101]], [[46]]], (n) => ({
        operands: [fixed([n], 4, -16, 16)],
        result: fixed([n], 4, -16, 16, 12),
        attrs: { comparison: "dpf" },
      })),
    ),
  "lookup by a point function: fixed view": () => looksUp(protocols.dpfLookup, 7),
  "one-time vector: fixed view": () => looksUp(protocols.otttLookup, 4),
  "faithful truncation: fixed view": () =>
    // In rings in which the high bits of a truncated mask are those of the mask.
    leaks(leakCase(protocols.faithfulTruncate, one, elementwise(12, 4, 11, { by: 8 }))),
  "SIGMA's truncation: fixed view": () =>
    leaks(leakCase(protocols.sigmaTruncate, one, elementwise(12, 4, 20, { by: 8 }))),
  "CrypTen's bit to ring: fixed view": () =>
    leaks(
      leakCase(protocols.a2bCast, [[[0]], [[1]]], (n) => ({
        operands: [fixed([n], 0, 0, 1)],
        result: fixed([n], 16, 0, 1, 64),
        attrs: { to: "f32" },
      })),
    ),
  "product by a triple: fixed view of the client": () =>
    leaks(
      leakCase(
        protocols.beaverWeightMul,
        [
          [[7], [-60001]],
          [[7], [12346]],
        ],
        elementwise(12, 24, 64, {}, 2),
      ),
      ["client"],
    ),
  "sine of an opened argument: fixed view": () =>
    leaks(
      leakCase(protocols.openedSine, [[[-(2 ** 35) - 1]], [[12345678]]], (n) => ({
        operands: [fixed([n], 16, -(2 ** 20), 2 ** 20)],
        result: fixed([n], 16, -2, 2, 64),
        attrs: { period: 8, sines: [0.5, -0.25] },
      })),
    ),
} as const satisfies Record<string, () => boolean>;
