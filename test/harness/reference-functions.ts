/** The real functions that protocols approximate, to about 1e-13. */

/** Maclaurin series inside ±3, asymptotic continued fraction outside. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let term = a;
    let sum = a;
    for (let n = 1; n < 100; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * sum * 2) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const silu = (x: number): number => x * sigmoid(x);
export const gelu = (x: number): number => (x * (1 + erf(x / Math.SQRT2))) / 2;
/** The other form that models use. */
export const geluTanh = (x: number): number =>
  (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2;
export const tanh = Math.tanh;

/** Softmax of each row of n. */
export function softmaxRows(x: Float64Array, n: number): Float64Array {
  const result = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += n) {
    const row = x.subarray(at, at + n);
    const top = Math.max(...row);
    const sum = row.reduce((total, v) => total + Math.exp(v - top), 0);
    row.forEach((v, k) => {
      result[at + k] = Math.exp(v - top) / sum;
    });
  }
  return result;
}

/** (x − mean)/√(variance + ε) of each row of n; without the mean for RMS norm. */
export function normRows(x: Float64Array, n: number, epsilon: number, centred: boolean): Float64Array {
  const result = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += n) {
    const row = x.subarray(at, at + n);
    const mean = centred ? row.reduce((sum, v) => sum + v, 0) / n : 0;
    const square = row.reduce((sum, v) => sum + (v - mean) ** 2, 0);
    row.forEach((v, k) => {
      result[at + k] = (v - mean) / Math.sqrt(square / n + epsilon);
    });
  }
  return result;
}
