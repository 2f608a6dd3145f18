import { matmul, matmulInteger } from "../../runtime/ring/matmul.ts";
import { matmulIntegerPlain, matmulPlain } from "../../runtime/ring/matmul-plain.ts";
import { intTensor, ringTensor } from "../../runtime/ring/tensor.ts";
import { type Case, measure } from "./harness.ts";

const sizes = [
  [1, 768, 768],
  [1, 768, 3072],
  [4, 768, 768],
  [32, 768, 768],
  [32, 768, 3072],
  [128, 3072, 768],
  [32, 64, 32],
] as const;

const filler = (length: number, make: (random: number) => number) => {
  let state = 12345;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return make(state);
  });
};
const residues = (m: number, n: number, width: number) =>
  ringTensor(
    [m, n],
    width,
    Uint32Array.from(filler(m * n * (width > 32 ? 2 : 1), (v) => v & (0xffffffff >>> (-width & 31)))),
  );
const weights = (m: number, n: number, bits: number) =>
  intTensor([m, n], Float64Array.from(filler(m * n, (v) => (v >>> (32 - bits)) - 2 ** (bits - 1))));

function casesOf([m, k, n]: (typeof sizes)[number]): Case[] {
  const amount = m * k * n;
  const kinds: [string, () => unknown][] = [];
  for (const width of [64, 56, 48, 40, 32, 16]) {
    const x = residues(m, k, width);
    for (const bits of width === 64 ? [16, 8] : [16]) {
      const w = weights(k, n, bits);
      kinds.push([`${width} bits x int${bits}`, () => matmulInteger(x, w)]);
    }
  }
  const [x37, w24] = [residues(m, k, 37), weights(k, n, 24)];
  kinds.push(["37 bits x int24", () => matmulInteger(x37, w24)]);
  // 64 and 32 bits multiply residues, the others their digits (runtime/ring/matmul-digit-pairs.ts).
  for (const width of [64, 42, 37, 32, 16]) {
    const [x, y] = [residues(m, k, width), residues(k, n, width)];
    kinds.push([`${width} bits x ${width} bits`, () => matmul(x, y)]);
  }
  return kinds.map(([name, run]) => ({ name, amount, run }));
}

for (const size of sizes) await measure(size.join("x"), "GMAC/s", casesOf(size));

const [x64, y64, x32, y32, w] = [
  residues(32, 256, 64),
  residues(256, 256, 64),
  residues(32, 256, 32),
  residues(256, 256, 32),
  weights(256, 256, 16),
];
await measure("32x256x256 in plain TypeScript", "GMAC/s", [
  { name: "64 bits x 64 bits", amount: 32 * 256 * 256, run: () => matmulPlain(x64, y64) },
  { name: "64 bits x int16", amount: 32 * 256 * 256, run: () => matmulIntegerPlain(x64, w) },
  { name: "32 bits x 32 bits", amount: 32 * 256 * 256, run: () => matmulPlain(x32, y32) },
]);
