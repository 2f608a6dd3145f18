import { kernel } from "./kernel.ts";
import { cosineSine } from "./portable-math.ts";
import { lanesOf, type RingTensor, sizeOf } from "./tensor.ts";

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
  const stride = sizeOf(secret.shape);
  const unit = 2 ** scale;
  return kernel([secret], [2 * count, ...secret.shape], width, (out, r) => {
    const put = writer(out, width);
    forEachAngle(r, secret.width, count, (i, k, cosine, sine) => {
      put(k * stride + i, Math.round(cosine * unit));
      put((count + k) * stride + i, Math.round(sine * unit));
    });
  });
}

/**
 * The public factors that turn mask harmonics into f(x̂ − r), as integers at `scale` fractional bits:
 * cos(u − v) = cos u cos v + sin u sin v and sin(u − v) = sin u cos v − cos u sin v.
 */
export function openedHarmonics(opened: RingTensor, series: Series, scale: number, width: number): RingTensor {
  const count = harmonicsOf(series);
  const stride = sizeOf(opened.shape);
  const unit = 2 ** scale;
  return kernel([opened], [2 * count, ...opened.shape], width, (out, x) => {
    const put = writer(out, width);
    forEachAngle(x, opened.width, count, (i, k, cosine, sine) => {
      const a = series.cosines[k] ?? 0;
      const b = series.sines[k] ?? 0;
      put(k * stride + i, Math.round((a * cosine + b * sine) * unit));
      put((count + k) * stride + i, Math.round((a * sine - b * cosine) * unit));
    });
  });
}

function forEachAngle(
  data: Uint32Array,
  bits: number,
  count: number,
  visit: (element: number, k: number, cosine: number, sine: number) => void,
): void {
  if (bits > 32) throw new RangeError(`a period of ${bits} bits is wider than a lane`);
  for (let i = 0; i < data.length; i++) {
    const [c, s] = cosineSine(data[i]!, bits);
    let cosine = c;
    let sine = s;
    for (let k = 0; k < count; k++) {
      visit(i, k, cosine, sine);
      // Next multiple of the angle by sums and products only, which are the same in every engine.
      const next = cosine * c - sine * s;
      sine = sine * c + cosine * s;
      cosine = next;
    }
  }
}

/** Writes an exact integer as a residue mod 2^width. */
export function writer(out: Uint32Array, width: number): (element: number, value: number) => void {
  const top = 0xffffffff >>> (-width & 31);
  if (lanesOf(width) === 1) {
    return (element, value) => {
      out[element] = value & top;
    };
  }
  return (element, value) => {
    out[2 * element] = value % 4294967296;
    out[2 * element + 1] = Math.floor(value / 4294967296) & top;
  };
}
