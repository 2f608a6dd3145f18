import { deferUnpacking, isWorthDeferring, packDeferred } from "./deferred.ts";
import { topMask } from "./kernel.ts";
import { isMeta, lanesOf, packedBytes, type RingTensor, ringTensor, type Shape, sizeOf } from "./tensor.ts";

// Typed arrays are views of memory, and every platform that runs JavaScript today is little-endian, as the wire format
// is.

/**
 * The wire format: little-endian bits, element i at bits [i·width, (i+1)·width), the last byte padded with zeros.
 * Nobody may change the bytes: the tensor may be read from them. @throws RangeError for a meta tensor.
 */
export function pack(a: RingTensor): Uint8Array {
  if (isMeta(a)) throw new RangeError(`cannot pack a meta tensor of shape [${a.shape}]`);
  const packed = isWorthDeferring(sizeOf(a.shape), [a]) ? packDeferred(a) : undefined;
  if (packed) return packed;
  const data = a.data!;
  const bytes = packedBytes(a.shape, a.width);
  if (a.width === 8) return new Uint8Array(data);
  if (a.width === 16) return new Uint8Array(new Uint16Array(data).buffer);
  const words = new Uint32Array(Math.ceil(bytes / 4));
  if (a.width === 1) packBits(words, data);
  else if (a.width % 32 === 0) words.set(data);
  else packWords(words, data, a.width);
  return new Uint8Array(words.buffer, 0, bytes);
}

/**
 * The tensor that `pack` wrote. Nobody may change the bytes afterwards.
 * @throws RangeError if the length is not packedBytes(shape, width) or a bit after the last element is set.
 */
export function unpack(bytes: Uint8Array, shape: Shape, width: number): RingTensor {
  const expected = packedBytes(shape, width);
  if (bytes.length !== expected) {
    throw new RangeError(`[${shape}] of ${width} bits needs ${expected} bytes, got ${bytes.length}`);
  }
  const used = (sizeOf(shape) * width) % 8;
  if (used > 0 && bytes[expected - 1]! >>> used !== 0) {
    throw new RangeError(`[${shape}] of ${width} bits: the bits after the last element are not zero`);
  }
  if (isWorthDeferring(sizeOf(shape), [])) return deferUnpacking(shape, width, bytes);
  if (width === 8) return ringTensor(shape, width, new Uint32Array(bytes));
  const count = sizeOf(shape);
  const data = new Uint32Array(count * lanesOf(width));
  if (width % 32 === 0) {
    new Uint8Array(data.buffer).set(bytes);
    return ringTensor(shape, width, data);
  }
  // One word of slack, since unpackWords reads the word after the one that an element begins in.
  const words = wordsOf(bytes, Math.ceil(expected / 4) + 2);
  if (width === 16) {
    data.set(new Uint16Array(words.buffer, 0, count));
    return ringTensor(shape, width, data);
  }
  if (width === 1) unpackBits(data, words);
  else unpackWords(data, words, width);
  return ringTensor(shape, width, data);
}

let scratch = new Uint32Array(1024);

/** The bytes as words, in memory that serves one call after the other. */
function wordsOf(bytes: Uint8Array, count: number): Uint32Array {
  if (scratch.length < count) scratch = new Uint32Array(2 * count);
  new Uint8Array(scratch.buffer).set(bytes);
  return scratch;
}

function packBits(words: Uint32Array, data: Uint32Array): void {
  for (let i = 0, at = 0; i < data.length; at++) {
    let word = 0;
    for (let bit = 0; bit < 32 && i < data.length; bit++, i++) word |= data[i]! << bit;
    words[at] = word;
  }
}

function unpackBits(data: Uint32Array, words: Uint32Array): void {
  for (let i = 0, at = 0; i < data.length; at++) {
    const word = words[at]!;
    for (let bit = 0; bit < 32 && i < data.length; bit++, i++) data[i] = (word >>> bit) & 1;
  }
}

function packWords(words: Uint32Array, data: Uint32Array, width: number): void {
  const lanes = lanesOf(width);
  const top = width - 32 * (lanes - 1);
  let word = 0;
  let filled = 0;
  let at = 0;
  for (let i = 0; i < data.length; i++) {
    const bits = lanes === 2 && (i & 1) === 0 ? 32 : top;
    const lane = data[i]!;
    word |= lane << filled;
    filled += bits;
    if (filled >= 32) {
      words[at++] = word;
      filled -= 32;
      // The rest of the lane, as two shifts: the count reaches 32 when nothing is left.
      word = (lane >>> 1) >>> (bits - filled - 1);
    }
  }
  if (filled > 0) words[at] = word;
}

function unpackWords(data: Uint32Array, words: Uint32Array, width: number): void {
  const lanes = lanesOf(width);
  const top = width - 32 * (lanes - 1);
  const mask = topMask(width);
  let at = 0;
  let from = 0;
  for (let i = 0; i < data.length; i++) {
    const low = lanes === 2 && (i & 1) === 0;
    const lane = (words[at]! >>> from) | ((words[at + 1]! << 1) << (31 - from));
    data[i] = low ? lane : lane & mask;
    from += low ? 32 : top;
    at += from >>> 5;
    from &= 31;
  }
}
