import { locals, unroll } from "./wat.ts";

/**
 * chacha(at): the first 12 words of the ChaCha20 block of the key of 128 bits at `at`, with nonce 0 and counter 0, into
 * the 12 words behind the key. The four rows of the state are vectors: a quarter round works on all columns at once.
 */
export function chacha(): string {
  return `
(func (export "chacha") (param $at i32)
  ${locals("v128", ["key", "a", "b", "c", "d"])} ${locals("i32", ["n"])}
  (local.set $key (v128.load (local.get $at)))
  (local.set $a ${constants})
  (local.set $b (local.get $key))
  (local.set $c (local.get $key))
  (local.set $n (i32.const 10))
  (loop $double_round
    ${quarterRounds}
    ${rotateRows(1)}
    ${quarterRounds}
    ${rotateRows(3)}
    (br_if $double_round (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (v128.store offset=16 (local.get $at) (i32x4.add (local.get $a) ${constants}))
  (v128.store offset=32 (local.get $at) (i32x4.add (local.get $b) (local.get $key)))
  (v128.store offset=48 (local.get $at) (i32x4.add (local.get $c) (local.get $key))))`;
}

/** "expand 16-byte k", in words. */
const constants = "(v128.const i32x4 0x61707865 0x3120646e 0x79622d36 0x6b206574)";

/** Each 32-bit word of the vector, rotated left. */
const rotated = (value: string, bits: number): string =>
  `(v128.or (i32x4.shl ${value} (i32.const ${bits})) (i32x4.shr_u ${value} (i32.const ${32 - bits})))`;

const step = ([sum, more, mixed]: readonly string[], bits: number): string => `
(local.set $${sum} (i32x4.add (local.get $${sum}) (local.get $${more})))
(local.set $${mixed} (v128.xor (local.get $${mixed}) (local.get $${sum})))
(local.set $${mixed} ${rotated(`(local.get $${mixed})`, bits)})`;

const quarterRounds = [
  step(["a", "b", "d"], 16),
  step(["c", "d", "b"], 12),
  step(["a", "b", "d"], 8),
  step(["c", "d", "b"], 7),
].join("");

/** Rows b, c and d move left by 1, 2 and 3 words times `by`, so that diagonals become columns; by 3 moves them back. */
const rotateRows = (by: 1 | 3): string =>
  unroll(3, (row) => {
    const name = "bcd"[row]!;
    const bytes = Array.from({ length: 16 }, (_, k) => (k + 4 * by * (row + 1)) % 16).join(" ");
    return `(local.set $${name} (i8x16.shuffle ${bytes} (local.get $${name}) (local.get $${name})))`;
  });
