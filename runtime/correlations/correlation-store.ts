import { sessionError } from "../core/index.ts";
import type { RingTensor, Shape } from "../ring/index.ts";

/**
 * Prepared correlations of one query, by operator. Each item leaves the store when it is used and cannot be used again.
 */
export interface CorrelationStore {
  put(label: string, item: RingTensor): void;
  take(label: string, shape: Shape, width: number): RingTensor;
  takeNext(label: string): RingTensor;
  /** Items not used yet: 0 at the end of a query. */
  readonly remaining: number;
}

export function createCorrelationStore(): CorrelationStore {
  const shelves = new Map<string, RingTensor[]>();
  const next = new Map<string, number>();
  let left = 0;
  const takeNext = (label: string): RingTensor => {
    const shelf = shelves.get(label);
    const index = next.get(label) ?? 0;
    const item = shelf?.[index];
    if (!shelf || !item) throw sessionError("correlationMissing", { operator: label });
    next.set(label, index + 1);
    // The item is used once: drop it here, so that no later call can see it.
    shelf[index] = undefined as unknown as RingTensor;
    left -= 1;
    return item;
  };
  return {
    put: (label, item) => {
      const shelf = shelves.get(label);
      if (shelf) shelf.push(item);
      else shelves.set(label, [item]);
      left += 1;
    },
    takeNext,
    take: (label, shape, width) => {
      const item = takeNext(label);
      if (item.width !== width || item.shape.join() !== shape.join()) {
        throw sessionError("correlationMismatch", {
          operator: label,
          expected: `[${shape}] of ${width} bits`,
          found: `[${item.shape}] of ${item.width} bits`,
        });
      }
      return item;
    },
    get remaining() {
      return left;
    },
  };
}
