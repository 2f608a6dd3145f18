import type { ReadElements } from "../kernels/index.ts";
import type { Axis } from "./broadcast.ts";

/**
 * Reads a tensor in the order of another shape: element `first` + k of that shape, whose axes are given from the outer to
 * the inner, each with its size and its step in elements of the tensor.
 */
export function readStrided(words: Uint32Array, lanes: 1 | 2, axes: readonly Axis[], first: number): ReadElements {
  const inner = axes.at(-1) ?? { size: 1, step: 0 };
  const outer = axes.slice(0, -1).reverse();
  const startOf = (row: number): number => {
    let rest = row;
    let start = 0;
    for (const { size, step } of outer) {
      start += (rest % size) * step;
      rest = Math.floor(rest / size);
    }
    return start;
  };
  return (to, at, from, count) => {
    let done = 0;
    while (done < count) {
      const element = first + from + done;
      const row = Math.floor(element / inner.size);
      const within = element - row * inner.size;
      const size = Math.min(inner.size - within, count - done);
      copyRun(to, at + lanes * done, words, lanes, startOf(row) + within * inner.step, inner.step, size);
      done += size;
    }
  };
}

type Elements = Uint32Array | Float64Array;

/** Copies `count` elements of so many lanes, from element `from` by `step`, to position `at` of an array. */
export function copyRun(
  to: Elements,
  at: number,
  elements: Elements,
  lanes: number,
  from: number,
  step: number,
  count: number,
): void {
  if (step === 1 && count >= 16) {
    to.set(elements.subarray(lanes * from, lanes * (from + count)), at);
  } else if (lanes === 1 && step === 0) {
    to.fill(elements[from]!, at, at + count);
  } else if (lanes === 1) {
    for (let k = 0; k < count; k++) to[at + k] = elements[from + k * step]!;
  } else {
    for (let k = 0, next = 2 * from; k < count; k++, next += 2 * step) {
      to[at + 2 * k] = elements[next]!;
      to[at + 2 * k + 1] = elements[next + 1]!;
    }
  }
}
