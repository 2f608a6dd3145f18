import { advance, countdown, locals } from "./wat.ts";

/**
 * split64/split32(from, to, eights, biasLow, biasHigh, position, mask, half): one digit of residues, as i16.
 *
 * With C = Σ half_k · 2^position_k over all digits, digit k of v is ((v + C) >> position_k & mask_k) − half_k: adding C
 * first balances the digits without a carry from one to the next. Eight residues per iteration.
 */
export function split(bits: 32 | 64): string {
  const vectors = bits / 8 / 2;
  const lanes = bits === 64 ? "i64x2" : "i32x4";
  const bias =
    bits === 64
      ? "(i64.or (i64.extend_i32_u (local.get $biasLow)) (i64.shl (i64.extend_i32_u (local.get $biasHigh)) (i64.const 32)))"
      : "(local.get $biasLow)";
  return `
(func (export "split${bits}") (param $from i32) (param $to i32) (param $eights i32) (param $biasLow i32) (param $biasHigh i32)
    (param $position i32) (param $mask i32) (param $half i32)
  ${locals("v128", ["bias", "masks", "halves"])}
  (local.set $bias (${lanes}.splat ${bias}))
  (local.set $masks (i16x8.splat (local.get $mask)))
  (local.set $halves (i16x8.splat (local.get $half)))
  ${countdown(
    "each",
    "eights",
    1,
    `
    (v128.store (local.get $to) (i16x8.sub (v128.and ${narrowed(0, vectors, lanes)} (local.get $masks)) (local.get $halves)))
    ${advance("from", `(i32.const ${vectors * 16})`)}
    ${advance("to", "(i32.const 16)")}`,
  )})`;
}

/** The low 16 bits of every lane of `count` vectors, side by side, in the low part of a vector. */
function narrowed(first: number, count: number, lanes: "i64x2" | "i32x4"): string {
  const vector = (index: number) =>
    `(${lanes}.shr_u (${lanes}.add (v128.load offset=${16 * index} (local.get $from)) (local.get $bias)) (local.get $position))`;
  if (count === 2) {
    const step = lanes === "i64x2" ? 8 : 4;
    const kept = Array.from({ length: 32 / step }, (_, k) => `${k * step} ${k * step + 1}`);
    const fill = Array.from({ length: 16 - 2 * kept.length }, () => "0");
    return `(i8x16.shuffle ${[...kept, ...fill].join(" ")} ${vector(first)} ${vector(first + 1)})`;
  }
  const halves = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23].join(" ");
  return `(i8x16.shuffle ${halves} ${narrowed(first, 2, lanes)} ${narrowed(first + 2, 2, lanes)})`;
}
