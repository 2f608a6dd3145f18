/**
 * Exact leak tests on tiny rings. They enumerate all randomness that any party draws; the corrupted party's view (its
 * own randomness and all that it receives) must occur equally often for every secret. For that size this is a proof.
 *
 * Elements of an elementwise protocol draw independently, so one run enumerates many assignments at once: bit k of an
 * element's index is bit k of all that it draws, in drawing order.
 *
 * Root seeds of point functions are too long for that. Words of 64 bits are constants, and the corrections of a key,
 * which follow from them, are left out of the view (`key`). The tests then enumerate everything else, given that a key
 * reveals nothing to its holder (Boyle, Gilboa, Ishai, CCS 2016, theorem 3.3).
 */
import memoize from "lodash-es/memoize.js";
import type { Party } from "../../runtime/core/party.ts";
import type { Steps } from "../../runtime/core/steps.ts";
import type { StreamFactory } from "../../runtime/correlations/random-streams.ts";
import { fromIntegers } from "../../runtime/ring/convert.ts";
import { intTensor, lanesOf, type RingTensor, ringTensor, type Shape, sizeOf } from "../../runtime/ring/tensor.ts";
import { type Break, type Corrupted, knows, ownSource } from "./compare-views.ts";
import { wordsOf } from "./leak-statistics.ts";
import { type Reading, runParties, type Source, sourceOf } from "./run-parties.ts";

export type TinyBody = (party: Party, stage: Reading) => Steps<unknown>;

export const CHUNK = 2 ** 14;

/** The same integer in every sample. */
export const constant = memoize((value: number) => intTensor([CHUNK], new Float64Array(CHUNK).fill(value)));
/** Residues of the same integer in every sample. */
export const constantRing = memoize(
  (value: number, width: number) => fromIntegers(constant(value), width),
  (value, width) => `${value} in ${width} bits`,
);
/** An integer as parties other than its owner know it. */
export const unknownInteger = intTensor([CHUNK], undefined);

interface Field {
  readonly offset: number;
  readonly width: number;
  readonly source: Source;
}

/** Numbers the drawn bits; the same draw of the same stream has the same bits at every party. */
class Tape {
  readonly fields = new Map<string, Field>();
  bits = 0;
  start = 0;

  field(source: Source, key: string, width: number): Field {
    const known = this.fields.get(key);
    if (known) return known;
    const field = { offset: this.bits, width, source };
    this.fields.set(key, field);
    this.bits += width;
    return field;
  }

  streams(corrupted: Corrupted, change?: Break): StreamFactory {
    return (seed, ..._scope) => {
      const source = sourceOf(seed);
      const counts = new Map<string, number>();
      return (label, use) => ({
        bytes: () => {
          throw new Error("expected a draw of ring elements: nothing else is enumerated");
        },
        ring: (shape, width) => {
          const stream = `${label}/${use}`;
          const index = counts.get(stream) ?? 0;
          counts.set(stream, index + 1);
          const draw = (from: Source) => this.draw(from, `${from}/${stream}/${index}`, shape, width);
          const drawn = draw(source);
          if (!change) return drawn;
          const atCorrupted = use === "mask" ? draw(ownSource[corrupted]) : drawn;
          return change({ source, use, drawn, corrupted, atCorrupted, first: () => drawn });
        },
      });
    };
  }

  private draw(source: Source, key: string, shape: Shape, width: number) {
    if (width === seedBits) return constantSeeds(key, shape);
    const axis = shape.indexOf(CHUNK);
    if (axis < 0) throw new Error(`expected an axis of [${shape}] that holds the samples, found none`);
    const inner = sizeOf(shape.slice(axis + 1));
    const outer = sizeOf(shape.slice(0, axis));
    const data = new Uint32Array(sizeOf(shape));
    for (let position = 0; position < outer * inner; position++) {
      const { offset } = this.field(source, `${key}/${position}`, width);
      const first = Math.floor(position / inner) * CHUNK * inner + (position % inner);
      // Indices stay below 2^31: at most 31 bits are drawn.
      const { start } = this;
      const mask = 2 ** width - 1;
      for (let k = 0; k < CHUNK; k++) data[first + k * inner] = ((start + k) >>> offset) & mask;
    }
    return ringTensor(shape, width, data);
  }
}

const seedBits = 64;

/** The same seeds in every sample, others for every stream. */
function constantSeeds(key: string, shape: Shape): RingTensor {
  let state = 1;
  for (let k = 0; k < key.length; k++) state = Math.imul(state ^ key.charCodeAt(k), 0x9e3779b1) >>> 0;
  const lanes = lanesOf(seedBits) * shape.at(-1)!;
  const seed = Uint32Array.from({ length: lanes }, (_, k) => Math.imul(state ^ (k + 1), 0x85ebca6b) >>> 0);
  return ringTensor(
    shape,
    seedBits,
    new Uint32Array(sizeOf(shape) * lanesOf(seedBits)).map((_, k) => seed[k % lanes]!),
  );
}

/** How often each view occurs, over all randomness; `key`: its positions with corrections of point functions. */
function views(
  body: TinyBody,
  corrupted: Corrupted,
  change: Break | undefined,
  key: readonly number[],
): { counts: Uint32Array; bits: number } {
  const tape = new Tape();
  let counts: Uint32Array | undefined;
  let bits = 0;
  do {
    const run = runParties(body, 1, tape.streams(corrupted, change));
    const received = run.view[corrupted].filter((_, at) => !key.includes(at));
    const words = wordsOf(received, CHUNK);
    const own = [...tape.fields.values()].filter(({ source }) => knows[corrupted].includes(source));
    bits = [...own, ...words].reduce((sum, { width }) => sum + width, 0);
    if (bits > 27 || tape.bits > 25)
      throw new Error(`expected at most 25 drawn bits and 27 in the view, found ${tape.bits} and ${bits}`);
    counts ??= new Uint32Array(2 ** bits);
    const seen = new Uint32Array(CHUNK);
    for (const { offset, width } of own) {
      const mask = 2 ** width - 1;
      for (let k = 0; k < CHUNK; k++) seen[k] = (seen[k]! << width) | (((tape.start + k) >>> offset) & mask);
    }
    for (const { low, width } of words) for (let k = 0; k < CHUNK; k++) seen[k] = (seen[k]! << width) | low[k]!;
    for (let k = 0; k < CHUNK; k++) counts[seen[k]!]! += 1;
    tape.start += CHUNK;
  } while (tape.start < 2 ** tape.bits);
  return { counts, bits };
}

/** Whether the corrupted party's views have the same distribution for all bodies, one for each secret. */
export function sameViews(
  bodies: readonly TinyBody[],
  corrupted: Corrupted,
  change?: Break,
  key: readonly number[] = [],
): boolean {
  const first = views(bodies[0]!, corrupted, change, key);
  return bodies.slice(1).every((body) => {
    const other = views(body, corrupted, change, key);
    return other.bits === first.bits && areEqual(other.counts, first.counts);
  });
}

function areEqual(a: Uint32Array, b: Uint32Array): boolean {
  for (let k = 0; k < a.length; k++) if (a[k] !== b[k]) return false;
  return true;
}
