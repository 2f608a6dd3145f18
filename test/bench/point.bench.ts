import { chacha20 as library } from "@noble/ciphers/chacha.js";
import { chacha20 } from "../../runtime/ring/chacha.ts";
import { generateCorrections, isBelowPoint, leafBits } from "../../runtime/ring/ggm.ts";
import { reshape } from "../../runtime/ring/layout-ops.ts";
import { ringTensor } from "../../runtime/ring/tensor.ts";
import { measure } from "./harness.ts";

const keys = 4096;
const bits = 23;
/** Thousands of levels: the harness prints units of 10^9. */
const amount = keys * (bits - leafBits) * 1000;

const words = (count: number, seed: number): Uint32Array => {
  let state = seed;
  return Uint32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  });
};
const seeds = (seed: number) => ringTensor([keys, 2], 64, words(4 * keys, seed));
const points = (seed: number) =>
  ringTensor(
    [keys],
    bits,
    words(keys, seed).map((word) => word >>> (32 - bits)),
  );

const [client, server, secret] = [seeds(1), seeds(2), points(3)];
const grown = generateCorrections(client, server, secret);
const opened = reshape(points(4), [1, keys]);

await measure(`${keys} point functions of ${bits} bits`, "million levels/s", [
  { name: "the dealer's keys", amount, run: () => generateCorrections(client, server, secret) },
  { name: "one path", amount, run: () => isBelowPoint({ seeds: client, control: 0 }, grown, opened) },
]);

/** Thousands of blocks. */
const blocks = 20_000;
const key = words(4, 5);
const block = new Uint32Array(9);
const long = new Uint8Array(new Uint32Array([...key, ...key]).buffer);
const nonce = new Uint8Array(12);
const zeros = new Uint8Array(36);
const repeat = (run: () => unknown) => (): void => {
  for (let k = 0; k < blocks; k++) run();
};
await measure("36 bytes of a block of ChaCha20 from a key", "million blocks/s", [
  { name: "ours, in place", amount: blocks * 1000, run: repeat(() => chacha20(key, 0, block)) },
  { name: "@noble/ciphers", amount: blocks * 1000, run: repeat(() => library(long, nonce, zeros)) },
]);
