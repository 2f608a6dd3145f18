/**
 * Uniform numbers in [0, 1) that follow from the seed, the same in every run: linear congruential (Numerical Recipes).
 * For initial values, samples and estimates; never for secrets.
 */
export function createFixedStream(seed = 1): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
