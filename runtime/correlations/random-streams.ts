import { createPrg, type Prg } from "../core/index.ts";

/** One stream for each operator and use. */
export type Streams = (label: string, use: string) => Prg;
/** Turns a seed into streams: `createStreams`, except in tests that enumerate or break randomness. */
export type StreamFactory = (seed: Uint8Array, ...scope: string[]) => Streams;

/** The label of a part of an operator. No operator has such a label: a value name has no slash. */
export const nestedLabel = (outer: string, inner: string): string => (outer === "" ? inner : `${outer}/${inner}`);

/** Opens streams of randomness by operator from one seed: no two operators, queries or uses share a stream. */
export const createStreams: StreamFactory = (seed, ...scope) => {
  const open = new Map<string, Map<string, Prg>>();
  return (label, use) => {
    const uses = open.get(label) ?? new Map<string, Prg>();
    open.set(label, uses);
    const prg = uses.get(use) ?? createPrg(seed, ...scope, label, use);
    uses.set(use, prg);
    return prg;
  };
};
