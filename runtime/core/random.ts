import { expand, keystream, systemRandom } from "#platform";
import { packedBytes, type RingTensor, type Shape, sizeOf, unpack } from "../ring/index.ts";

// This file is the only source of randomness. Nothing else in the runtime may draw, derive or seed.

/** A pseudorandom stream. Its output depends on the seed, the label, and the order and sizes of the draws. */
export interface Prg {
  /** Exactly uniform residues: the next ⌈count·width / 8⌉ bytes of the stream, read as the wire format. */
  ring(shape: Shape, width: number): RingTensor;
  bytes(count: number): Uint8Array;
}

const SEED_BYTES = 32;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
// A program has thousands of streams of a few bytes: these are taken from chunks, which grow. A draw of more is its own.
const FIRST_CHUNK = 256;
const LAST_CHUNK = 64 * 1024;

const text = new TextEncoder();
const printableAscii = /^[\x20-\x7e]*$/;

/** 32 bytes from the operating system. */
export const freshSeed = (): Uint8Array => systemRandom(SEED_BYTES);

/**
 * Derives a separate seed for each label with HKDF-SHA256: one derived seed says nothing about its parent or siblings.
 * @throws RangeError if the seed does not have 32 bytes.
 */
export function deriveSeed(seed: Uint8Array, ...label: string[]): Uint8Array {
  return expand(checkSeed(seed), encode("marillc seed", label), SEED_BYTES);
}

/**
 * The seed of two parties from a half of each: uniform and unknown to others if either half is.
 * @throws RangeError if a half does not have 32 bytes.
 */
export function joinSeeds(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(2 * SEED_BYTES);
  both.set(checkSeed(first));
  both.set(checkSeed(second), SEED_BYTES);
  return expand(both, encode("marillc joint seed", []), SEED_BYTES);
}

/**
 * Opens the ChaCha20 stream of a seed and a label. Different labels give independent streams; deriveSeed and
 * createPrg are independent under one label too. The same seed and label repeat the stream, so two parties can expand a
 * common seed. Within one party a label must be used once, because a mask used twice reveals a difference.
 * @throws RangeError if the seed does not have 32 bytes, or a label is not printable ASCII.
 */
export function createPrg(seed: Uint8Array, ...label: string[]): Prg {
  const material = expand(checkSeed(seed), encode("marillc stream", label), KEY_BYTES + NONCE_BYTES);
  const next = keystream(material.subarray(0, KEY_BYTES), material.subarray(KEY_BYTES));
  let chunk: Uint8Array = new Uint8Array(0);
  let chunkBytes = FIRST_CHUNK;

  function take(count: number): Uint8Array {
    if (chunk.length === 0 && count >= chunkBytes) return next(count);
    const out = new Uint8Array(count);
    for (let at = 0; at < count; ) {
      if (chunk.length === 0) {
        chunk = next(Math.max(chunkBytes, count - at));
        chunkBytes = Math.min(chunkBytes * 4, LAST_CHUNK);
      }
      const taken = Math.min(chunk.length, count - at);
      out.set(chunk.subarray(0, taken), at);
      chunk = chunk.subarray(taken);
      at += taken;
    }
    return out;
  }

  return {
    bytes: take,
    ring(shape, width) {
      const bytes = take(packedBytes(shape, width));
      const used = (sizeOf(shape) * width) % 8;
      if (used > 0) bytes[bytes.length - 1]! &= (1 << used) - 1;
      return unpack(bytes, shape, width);
    },
  };
}

/**
 * Prefixes every part with its length: no two lists of labels have the same encoding. A label outside printable ASCII is
 * refused, because an encoder replaces what is no Unicode by U+FFFD: two such labels would open one stream.
 */
function encode(purpose: string, label: readonly string[]): Uint8Array {
  const odd = label.find((part) => !printableAscii.test(part));
  if (odd !== undefined) throw new RangeError(`a label is printable ASCII, got ${JSON.stringify(odd)}`);
  const parts = [purpose, ...label].map((part) => text.encode(part));
  const out = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length, true);
    out.set(part, at + 4);
    at += 4 + part.length;
  }
  return out;
}

function checkSeed(seed: Uint8Array): Uint8Array {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes, got ${seed.length}`);
  return seed;
}
