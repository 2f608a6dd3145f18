/** Rounded up to two significant digits: equal on machines whose functions differ in the last place. */
export function twoDigits(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const unit = 10 ** (Math.floor(Math.log10(x)) - 1);
  return Number((Math.ceil(x / unit - 1e-9) * unit).toPrecision(2));
}
