import { add } from "./arithmetic.ts";
import { extractBits, inLane } from "./bits.ts";
import { residue } from "./convert.ts";
import { isWorthDeferring } from "./deferred.ts";
import { deferElements } from "./deferred-elements.ts";
import { checkInteger, kernel, topMask } from "./kernel.ts";
import { lanesOf, type RingTensor, sizeOf } from "./tensor.ts";

/** Every residue shifted right; the result has a.width − by bits. @throws RangeError unless by is in 0…width−1. */
export function shiftRight(a: RingTensor, by: number): RingTensor {
  return extractBits(a, by, a.width - by);
}

/**
 * shiftRight of a + 2^(by−1) mod 2^width, or of one less where a half is rounded down: rounds instead of truncating.
 * @throws RangeError as `shiftRight` does
 */
export function shiftRightRounded(a: RingTensor, by: number, half: "up" | "down" = "up"): RingTensor {
  checkInteger("shift", by, 0, a.width - 1);
  return by === 0 ? a : shiftRight(add(a, residue(2 ** (by - 1) - (half === "down" ? 1 : 0), a.width)), by);
}

/** a · 2^by mod 2^width, same width. @throws RangeError unless by is in 0…width−1. */
export function shiftLeft(a: RingTensor, by: number): RingTensor {
  checkInteger("shift", by, 0, a.width - 1);
  if (isWorthDeferring(sizeOf(a.shape), [a])) {
    return deferElements(a.shape, a.width, [a], (code, x) =>
      code.mask(code.shl(code.loose(x!, a.width - by), by), a.width),
    );
  }
  return kernel([a], a.shape, a.width, (out, x) => {
    const count = sizeOf(a.shape);
    const mask = topMask(a.width);
    if (lanesOf(a.width) === 1) {
      for (let i = 0; i < count; i++) out[i] = (x[i]! << by) & mask;
    } else if (by >= 32) {
      for (let i = 0; i < count; i++) out[2 * i + 1] = (x[2 * i]! << by) & mask;
    } else {
      for (let i = 0; i < count; i++) {
        out[2 * i] = x[2 * i]! << by;
        out[2 * i + 1] = ((x[2 * i + 1]! << by) | ((x[2 * i]! >>> 1) >>> (31 - by))) & mask;
      }
    }
  });
}

/** The residues mod 2^width: their lowest bits. @throws RangeError if width exceeds a.width. */
export function narrow(a: RingTensor, width: number): RingTensor {
  checkInteger("narrower width", width, 1, a.width);
  return width === a.width ? a : extractBits(a, 0, width);
}

/** The same unsigned values in a wider ring. @throws RangeError if width is below a.width. */
export function widen(a: RingTensor, width: number): RingTensor {
  checkInteger("wider width", width, a.width, 64);
  return width === a.width ? a : extractBits(a, 0, width);
}

/** The same two's complement values in a wider ring. @throws RangeError if width is below a.width. */
export function widenSigned(a: RingTensor, width: number): RingTensor {
  checkInteger("wider width", width, a.width, 64);
  if (isWorthDeferring(sizeOf(a.shape), [a])) {
    return deferElements(a.shape, width, [a], (code, x) => {
      const wide = inLane(code, code.loose(x!, a.width), width);
      const unused = lanesOf(width) * 32 - a.width;
      return code.mask(code.sar(code.shl(wide, unused), unused), width);
    });
  }
  return kernel([a], a.shape, width, (out, x) => {
    const count = sizeOf(a.shape);
    const mask = topMask(width);
    const unused = -a.width & 31;
    if (lanesOf(width) === 1) {
      for (let i = 0; i < count; i++) out[i] = ((x[i]! << unused) >> unused) & mask;
    } else if (lanesOf(a.width) === 1) {
      for (let i = 0; i < count; i++) {
        const low = (x[i]! << unused) >> unused;
        out[2 * i] = low;
        out[2 * i + 1] = (low >> 31) & mask;
      }
    } else {
      for (let i = 0; i < count; i++) {
        out[2 * i] = x[2 * i]!;
        out[2 * i + 1] = ((x[2 * i + 1]! << unused) >> unused) & mask;
      }
    }
  });
}
