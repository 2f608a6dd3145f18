import { advance, countdown, locals, unroll } from "./wat.ts";

/**
 * panel(from, stride, to, pairs): 16 columns of i16 rows, `stride` bytes apart, as a panel of pairs of rows: the two
 * rows of a pair side by side in each column, as dot.ts wants them.
 */
export function panel(): string {
  const low = Array.from({ length: 4 }, (_, k) => `${2 * k} ${2 * k + 1} ${16 + 2 * k} ${17 + 2 * k}`).join(" ");
  const high = Array.from({ length: 4 }, (_, k) => `${8 + 2 * k} ${9 + 2 * k} ${24 + 2 * k} ${25 + 2 * k}`).join(" ");
  const interleaved = (half: number, order: string, at: number): string =>
    `(v128.store offset=${at} (local.get $to) (i8x16.shuffle ${order} (local.get $a${half}) (local.get $b${half})))`;
  return `
(func (export "panel") (param $from i32) (param $stride i32) (param $to i32) (param $pairs i32)
  ${locals("i32", ["next"])} ${locals("v128", ["a0", "a1", "b0", "b1"])}
  ${countdown(
    "each",
    "pairs",
    1,
    `
    (local.set $next (i32.add (local.get $from) (local.get $stride)))
    ${unroll(2, (half) => `(local.set $a${half} (v128.load offset=${16 * half} (local.get $from)))`)}
    ${unroll(2, (half) => `(local.set $b${half} (v128.load offset=${16 * half} (local.get $next)))`)}
    ${unroll(2, (half) => interleaved(half, low, 32 * half) + interleaved(half, high, 32 * half + 16))}
    ${advance("to", "(i32.const 64)")}
    (local.set $from (i32.add (local.get $next) (local.get $stride)))`,
  )})`;
}
