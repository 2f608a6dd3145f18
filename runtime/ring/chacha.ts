/**
 * A block of ChaCha20 (Bernstein, 2008) as a function of its key alone: 128 bits, nonce 0, block 0. It has no tables,
 * so no timing that depends on the key. A point function needs one block for each node of its trees; the cipher of a
 * library, which checks and copies its arguments at every call, takes six times as long.
 */
const x = new Int32Array(16);

/** Writes the first 9 words of the block of the key at `at` to `out`. */
export function chacha20(keys: Uint32Array, at: number, out: Uint32Array): void {
  const k0 = keys[at]! | 0;
  const k1 = keys[at + 1]! | 0;
  const k2 = keys[at + 2]! | 0;
  const k3 = keys[at + 3]! | 0;
  // "expand 16-byte k", then the key twice, then counter and nonce.
  x[0] = 0x61707865;
  x[1] = 0x3120646e;
  x[2] = 0x79622d36;
  x[3] = 0x6b206574;
  x[4] = x[8] = k0;
  x[5] = x[9] = k1;
  x[6] = x[10] = k2;
  x[7] = x[11] = k3;
  x[12] = x[13] = x[14] = x[15] = 0;
  for (let round = 0; round < 20; round += 2) {
    quarter(0, 4, 8, 12);
    quarter(1, 5, 9, 13);
    quarter(2, 6, 10, 14);
    quarter(3, 7, 11, 15);
    quarter(0, 5, 10, 15);
    quarter(1, 6, 11, 12);
    quarter(2, 7, 8, 13);
    quarter(3, 4, 9, 14);
  }
  out[0] = x[0]! + 0x61707865;
  out[1] = x[1]! + 0x3120646e;
  out[2] = x[2]! + 0x79622d36;
  out[3] = x[3]! + 0x6b206574;
  out[4] = x[4]! + k0;
  out[5] = x[5]! + k1;
  out[6] = x[6]! + k2;
  out[7] = x[7]! + k3;
  out[8] = x[8]! + k0;
}

/** The quarter round of four words of the state. */
function quarter(i: number, j: number, k: number, l: number): void {
  let a = x[i]!;
  let b = x[j]!;
  let c = x[k]!;
  let d = x[l]!;
  a = (a + b) | 0;
  d ^= a;
  d = (d << 16) | (d >>> 16);
  c = (c + d) | 0;
  b ^= c;
  b = (b << 12) | (b >>> 20);
  a = (a + b) | 0;
  d ^= a;
  d = (d << 8) | (d >>> 24);
  c = (c + d) | 0;
  b ^= c;
  b = (b << 7) | (b >>> 25);
  x[i] = a;
  x[j] = b;
  x[k] = c;
  x[l] = d;
}
