import { advance, countdown, locals, registerNames, unroll } from "./wat.ts";

const VECTORS = 4;
/** Bytes of one pair of rows of a weight panel: 16 columns of two i16. */
const PAIR_BYTES = 16 * VECTORS;

/**
 * dot64/dot32(x, xStride, rows, weights, pairs, block, sums, sumStride, shift): sums += (digits · panel) << shift.
 *
 * Digits are i16 rows of stride xStride; the panel has 16 columns, two rows of K side by side, as i32x4.dot_i16x8_s
 * wants them. i32 sums of `block` pairs are added to the 64-bit sums before they can overflow; the caller chooses the
 * block. Tiles of two rows hold 8 accumulators, which with 4 operands fit the 16 registers of x86-64; a last odd row
 * (and matrix–vector, where it is the only one) has a tile of its own.
 */
export function dot(bits: 32 | 64): string {
  return `
(func (export "dot${bits}") (param $x i32) (param $xStride i32) (param $rows i32) (param $weights i32) (param $pairs i32)
    (param $block i32) (param $sums i32) (param $sumStride i32) (param $shift i32)
  ${locals("i32", ["w", "left", "count", "n", "x0", "x1", "s0", "s1"])}
  ${locals("v128", [...registerNames("a", 2, VECTORS), "w0", "d0", "d1"])}
  ${rowTiles(2, bits)}
  ${rowTiles(1, bits)})`;
}

function rowTiles(rows: number, bits: 32 | 64): string {
  const label = `rows${rows}`;
  return countdown(
    label,
    "rows",
    rows,
    `
    ${unroll(rows, (r) => `(local.set $x${r} ${r === 0 ? "(local.get $x)" : "(i32.add (local.get $x) (local.get $xStride))"})`)}
    ${unroll(rows, (r) => `(local.set $s${r} ${r === 0 ? "(local.get $sums)" : "(i32.add (local.get $sums) (local.get $sumStride))"})`)}
    (local.set $w (local.get $weights))
    (local.set $left (local.get $pairs))
    (loop $${label}_block
      (local.set $count (select (local.get $left) (local.get $block) (i32.lt_u (local.get $left) (local.get $block))))
      (local.set $n (local.get $count))
      ${registerNames("a", rows, VECTORS)
        .map((a) => `(local.set $${a} (v128.const i32x4 0 0 0 0))`)
        .join("\n")}
      (loop $${label}_pair
        ${unroll(rows, (r) => `(local.set $d${r} (v128.load32_splat (local.get $x${r})))`)}
        ${unroll(VECTORS, (c) => multiplyAdd(rows, c))}
        ${unroll(rows, (r) => advance(`x${r}`, "(i32.const 4)"))}
        ${advance("w", `(i32.const ${PAIR_BYTES})`)}
        (br_if $${label}_pair (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      ${unroll(rows * VECTORS, (k) => flush(bits, Math.floor(k / VECTORS), k % VECTORS))}
      (br_if $${label}_block (local.tee $left (i32.sub (local.get $left) (local.get $count)))))
    ${advance("x", `(i32.mul (local.get $xStride) (i32.const ${rows}))`)}
    ${advance("sums", `(i32.mul (local.get $sumStride) (i32.const ${rows}))`)}`,
  );
}

function multiplyAdd(rows: number, c: number): string {
  return `
(local.set $w0 (v128.load offset=${16 * c} (local.get $w)))
${unroll(rows, (r) => `(local.set $a${r}_${c} (i32x4.add (local.get $a${r}_${c}) (i32x4.dot_i16x8_s (local.get $d${r}) (local.get $w0))))`)}`;
}

function flush(bits: 32 | 64, r: number, c: number): string {
  const add = (lanes: string, value: string, offset: number) => `
(v128.store offset=${offset} (local.get $s${r})
  (${lanes}.add (v128.load offset=${offset} (local.get $s${r})) (${lanes}.shl ${value} (local.get $shift))))`;
  const sum = `(local.get $a${r}_${c})`;
  if (bits === 32) return add("i32x4", sum, 16 * c);
  return (
    add("i64x2", `(i64x2.extend_low_i32x4_s ${sum})`, 32 * c) +
    add("i64x2", `(i64x2.extend_high_i32x4_s ${sum})`, 32 * c + 16)
  );
}
