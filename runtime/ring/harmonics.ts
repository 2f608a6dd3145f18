import type { Builder, Term } from "../kernels/index.ts";
import { defer, isWorthDeferring } from "./deferred.ts";
import { kernel, topMask } from "./kernel.ts";
import { cosineAndSine, cosinesAndSines } from "./portable-math.ts";
import { lanesOf, type RingTensor, type Shape, sizeOf } from "./tensor.ts";

/** f(x) ≈ constant + Σ_{k=1…K} cosines[k−1]·cos(2πkx/P) + sines[k−1]·sin(2πkx/P). */
export interface Series {
  readonly constant: number;
  readonly cosines: readonly number[];
  readonly sines: readonly number[];
}

export const harmonicsOf = (series: Series): number => Math.max(series.cosines.length, series.sines.length);

/**
 * Harmonics of a mask, which the dealer shares: cos(2πk·r/2^bits) and sin(2πk·r/2^bits), k = 1…K, as integers at
 * `scale` fractional bits, [2K, …shape] in a ring of `width` bits. `secret` has exactly `bits` bits: the whole period.
 */
export function maskHarmonics(secret: RingTensor, count: number, scale: number, width: number): RingTensor {
  const unit = 2 ** scale;
  const shape = [2 * count, ...secret.shape];
  if (isWorthDeferring(sizeOf(secret.shape), [secret])) {
    return deferHarmonics(secret, shape, width, (code, cosine, sine, isSine) =>
      integerOf(code, code.mul(isSine ? sine : cosine, code.real(unit)), width),
    );
  }
  return kernel([secret], shape, width, (out, r) => {
    const values = new Float64Array(tile);
    forEachHarmonic(r, secret.width, count, (at, size, k, cosines, sines) => {
      for (let i = 0; i < size; i++) values[i] = Math.floor(cosines[i]! * unit + 0.5);
      writeIntegers(out, k * r.length + at, values, size, width);
      for (let i = 0; i < size; i++) values[i] = Math.floor(sines[i]! * unit + 0.5);
      writeIntegers(out, (count + k) * r.length + at, values, size, width);
    });
  });
}

/**
 * The public factors that turn mask harmonics into f(x̂ − r), as integers at `scale` fractional bits:
 * cos(u − v) = cos u cos v + sin u sin v and sin(u − v) = sin u cos v − cos u sin v.
 */
export function openedHarmonics(opened: RingTensor, series: Series, scale: number, width: number): RingTensor {
  const count = harmonicsOf(series);
  const unit = 2 ** scale;
  const shape = [2 * count, ...opened.shape];
  if (isWorthDeferring(sizeOf(opened.shape), [opened])) {
    return deferHarmonics(opened, shape, width, (code, cosine, sine, isSine, k) => {
      const [a, b] = [series.cosines[k] ?? 0, series.sines[k] ?? 0];
      const [c, s] = isSine ? [sine, cosine] : [cosine, sine];
      const sum = code[isSine ? "sub" : "add"](code.mul(c, code.real(a)), code.mul(s, code.real(b)));
      return integerOf(code, code.mul(sum, code.real(unit)), width);
    });
  }
  return kernel([opened], shape, width, (out, x) => {
    const values = new Float64Array(tile);
    forEachHarmonic(x, opened.width, count, (at, size, k, cosines, sines) => {
      const a = series.cosines[k] ?? 0;
      const b = series.sines[k] ?? 0;
      for (let i = 0; i < size; i++) values[i] = Math.floor((a * cosines[i]! + b * sines[i]!) * unit + 0.5);
      writeIntegers(out, k * x.length + at, values, size, width);
      for (let i = 0; i < size; i++) values[i] = Math.floor((a * sines[i]! - b * cosines[i]!) * unit + 0.5);
      writeIntegers(out, (count + k) * x.length + at, values, size, width);
    });
  });
}

/** The nearest integer, halves up, of a double below 2^50, as a residue. */
function integerOf(code: Builder, x: Term, width: number): Term {
  const rounded = code.integer(code.floor(code.add(x, code.real(0.5))));
  return code.mask(width <= 32 ? code.low(rounded) : rounded, width);
}

type RowCode = (code: Builder, cosine: Term, sine: Term, isSine: boolean, k: number) => Term;

/** Rows of cosines, then rows of sines. The rows of one element share what they compute. */
function deferHarmonics(angles: RingTensor, shape: Shape, width: number, code: RowCode): RingTensor {
  if (angles.width > 32) throw new RangeError(`a period of ${angles.width} bits is wider than a lane`);
  const count = shape[0]! / 2;
  return defer(shape, width, {
    ...{ operands: [{ tensor: angles, pattern: "each" }], rowLength: sizeOf(angles.shape), own: 60 },
    emit: (builder, read, row) => {
      const k = row % count;
      const x = read(0, 0);
      const first = cosineAndSine(builder, x, angles.width);
      const [cosine, sine] = multipleOf(builder, first, k + 1);
      return code(builder, cosine, sine, row >= count, k);
    },
  });
}

/** cos and sin of a multiple of an angle, by sums and products only, one multiple after the other. */
function multipleOf(code: Builder, [c, s]: readonly [Term, Term], multiple: number): readonly [Term, Term] {
  let [cosine, sine] = [c, s];
  for (let k = 1; k < multiple; k++) {
    const next = code.sub(code.mul(cosine, c), code.mul(sine, s));
    sine = code.add(code.mul(sine, c), code.mul(cosine, s));
    cosine = next;
  }
  return [cosine, sine];
}

/** Elements at a time: their angles stay in the cache of one core. */
const tile = 512;

/** Visits cos and sin of 2π(k+1)·x/2^bits, k = 0…count−1, for `size` elements from `at`. */
function forEachHarmonic(
  data: Uint32Array,
  bits: number,
  count: number,
  visit: (at: number, size: number, k: number, cosines: Float64Array, sines: Float64Array) => void,
): void {
  if (bits > 32) throw new RangeError(`a period of ${bits} bits is wider than a lane`);
  const [c, s, cosines, sines] = [0, 1, 2, 3].map(() => new Float64Array(Math.min(tile, data.length))) as Tile;
  for (let at = 0; at < data.length; at += tile) {
    const size = Math.min(tile, data.length - at);
    cosinesAndSines(data, at, bits, c.subarray(0, size), s.subarray(0, size));
    cosines.set(c);
    sines.set(s);
    for (let k = 0; k < count; k++) {
      visit(at, size, k, cosines, sines);
      // Next multiple of the angle by sums and products only, which are the same in every engine.
      for (let i = 0; i < size; i++) {
        const next = cosines[i]! * c[i]! - sines[i]! * s[i]!;
        sines[i] = sines[i]! * c[i]! + cosines[i]! * s[i]!;
        cosines[i] = next;
      }
    }
  }
}
type Tile = [Float64Array, Float64Array, Float64Array, Float64Array];

/** Writes `size` exact integers below 2^53 as residues mod 2^width, from element `at` on. */
export function writeIntegers(out: Uint32Array, at: number, values: Float64Array, size: number, width: number): void {
  const top = topMask(width);
  if (lanesOf(width) === 1) {
    for (let i = 0; i < size; i++) out[at + i] = values[i]! & top;
  } else {
    for (let i = 0; i < size; i++) {
      const value = values[i]!;
      out[2 * (at + i)] = value | 0;
      out[2 * (at + i) + 1] = Math.floor(value / 4294967296) & top;
    }
  }
}
