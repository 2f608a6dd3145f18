import { chachaKernel } from "./wasm.ts";

/** Words of a key, and of the block that are read. */
const KEY = 4;
const READ = 9;
let words: Uint32Array | undefined;

/**
 * A block of ChaCha20 (Bernstein, 2008) as a function of its key alone: 128 bits, nonce 0, block 0. It has no tables,
 * so no timing that depends on the key. A point function needs one block for each node of its trees. Writes the first 9
 * words of the block of the key at `at` to `out`.
 */
export function chacha20(keys: Uint32Array, at: number, out: Uint32Array): void {
  const { memory, chacha } = chachaKernel();
  words ??= new Uint32Array(memory.buffer);
  for (let k = 0; k < KEY; k++) words[k] = keys[at + k]!;
  chacha(0);
  for (let k = 0; k < READ; k++) out[k] = words[KEY + k]!;
}
