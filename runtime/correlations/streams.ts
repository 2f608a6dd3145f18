import type { Prg } from "../random.ts";
import { createPrg } from "../random.ts";

/** Streams of randomness by operator, all from one seed: no two operators, queries or uses share a stream. */
export function createStreams(seed: Uint8Array, ...scope: string[]): (label: string, use: string) => Prg {
  const open = new Map<string, Map<string, Prg>>();
  return (label, use) => {
    const uses = open.get(label) ?? new Map<string, Prg>();
    open.set(label, uses);
    const prg = uses.get(use) ?? createPrg(seed, ...scope, label, use);
    uses.set(use, prg);
    return prg;
  };
}
