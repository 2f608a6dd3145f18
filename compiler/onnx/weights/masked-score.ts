/** The masked score: exp(−10⁴) is 0 in every format of the compiler. */
export const maskedScore = -1e4;

/** The least numbers of float16, bfloat16 and float32. */
const leastNumbers: ReadonlySet<number> = new Set([-65504, -(2 ** 128 - 2 ** 120), -(2 ** 128 - 2 ** 104)]);

/** What code writes to hide a score, and an infinity, which starts a maximum: −10⁴, −10⁹, −∞. */
export const isMaskNumber = (x: number): boolean =>
  !Number.isFinite(x) || leastNumbers.has(x) || (x <= maskedScore && Number.isInteger(Math.log10(-x)));
