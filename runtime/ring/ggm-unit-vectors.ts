/**
 * A distributed point function with values in a ring (Boyle, Gilboa, Ishai, CCS 2016, figure 1). Two keys hold additive
 * shares of the vector that is 1 at a point and 0 elsewhere; one key alone says nothing about the point. The tree is
 * that of ggm.ts, down to single positions: a leaf's seed is read as a residue.
 */

import { add, addConstant, mul, mulConstant, neg, sub } from "./arithmetic.ts";
import { createNodePair, descend, descendPair, expandSeed, startAtRoots } from "./ggm.ts";
import { clearHighBits } from "./kernel.ts";
import { reshape, slice } from "./layout-ops.ts";
import { widen } from "./shift.ts";
import { type IntTensor, lanesOf, metaTensor, type RingTensor, ringTensor, sizeOf } from "./tensor.ts";

const WORDS = 4;

/** What both holders of a key receive: n·130 + width bits a point for n levels. */
export interface UnitCorrections {
  /** [...shape, n, 2] of 64 bits. */
  readonly blocks: RingTensor;
  /** [...shape, n] of 2 bits: the left child's control bit, then the right child's. */
  readonly controls: RingTensor;
  /** [...shape] in the ring: makes the value at the point 1. */
  readonly last: RingTensor;
}

/** Levels of the tree over a vector of this length. */
export const treeDepth = (length: number): number => Math.max(1, Math.ceil(Math.log2(length)));

/** The first `width` bits of each seed. */
function seedResidues(seeds: Uint32Array, shape: readonly number[], width: number): RingTensor {
  const lanes = lanesOf(width);
  const data = new Uint32Array(sizeOf(shape) * lanes);
  for (let k = 0; k < data.length; k++) data[k] = seeds[Math.floor(k / lanes) * WORDS + (k % lanes)]!;
  clearHighBits(data, width);
  return ringTensor(shape, width, data);
}

/**
 * Corrections for points below 2^levels [...shape], from the root seeds [...shape, 2] of 64 bits of the first and of
 * the second holder. A meta tensor if an input is one. Selects, never branches, on a point.
 */
export function generateUnitCorrections(
  first: RingTensor,
  second: RingTensor,
  point: IntTensor,
  levels: number,
  width: number,
): UnitCorrections {
  const { shape } = point;
  const blockShape = [...shape, levels, 2];
  const controlShape = [...shape, levels];
  if (!first.data || !second.data || !point.data)
    return {
      blocks: metaTensor(blockShape, 64),
      controls: metaTensor(controlShape, 2),
      last: metaTensor(shape, width),
    };
  const count = sizeOf(shape);
  const blocks = new Uint32Array(count * levels * WORDS);
  const controls = new Uint32Array(count * levels);
  const ends = [new Uint32Array(count * WORDS), new Uint32Array(count * WORDS)] as const;
  const secondBits = new Uint32Array(count);
  const pair = createNodePair();
  const { nodes, bits } = pair;
  for (let e = 0; e < count; e++) {
    startAtRoots(pair, first.data, second.data, e);
    for (let level = 0; level < levels; level++) {
      const bit = (point.data[e]! >>> (levels - 1 - level)) & 1;
      controls[e * levels + level] = descendPair(pair, bit, blocks, (e * levels + level) * WORDS);
    }
    ends[0].set(nodes[0], e * WORDS);
    ends[1].set(nodes[1], e * WORDS);
    secondBits[e] = bits[1]!;
  }
  // c₀ − c₁ + (t₀ − t₁)·last = 1 at the point, where the control bits differ.
  const [c0, c1] = ends.map((seeds) => seedResidues(seeds, shape, width)) as [RingTensor, RingTensor];
  const missing = sub(addConstant(c1, 1), c0);
  const signed = mul(widen(ringTensor(shape, 1, secondBits), width), mulConstant(missing, 2));
  return {
    blocks: ringTensor(blockShape, 64, blocks),
    controls: ringTensor(controlShape, 2, controls),
    last: sub(missing, signed),
  };
}

/**
 * This holder's additive share of the unit vectors [...shape, length]; `holder` is 0 for the first holder, 1 for the
 * second.
 */
export function expandUnitVectors(
  seeds: RingTensor,
  holder: 0 | 1,
  { blocks, controls, last }: UnitCorrections,
  length: number,
): RingTensor {
  const shape = last.shape;
  const { width } = last;
  if (!seeds.data || !blocks.data || !controls.data) return metaTensor([...shape, length], width);
  const levels = controls.shape.at(-1)!;
  const leaves = 2 ** levels;
  const count = sizeOf(shape);
  const out = new Uint32Array(count * leaves * WORDS);
  const bits = new Uint32Array(count * leaves);
  const node = new Uint32Array(WORDS);
  for (let e = 0; e < count; e++) {
    // Breadth first, in the same array: the nodes of a level are `stride` leaves apart, the right child in the middle.
    const base = e * leaves;
    out.set(seeds.data.subarray(e * WORDS, (e + 1) * WORDS), base * WORDS);
    bits[base] = holder;
    for (let level = 0; level < levels; level++) {
      const stride = 2 ** (levels - level);
      const at = (e * levels + level) * WORDS;
      const control = controls.data[e * levels + level]!;
      for (let leaf = base; leaf < base + leaves; leaf += stride) {
        const t = bits[leaf]!;
        expandSeed(out, leaf * WORDS);
        for (const side of [0, 1]) {
          const child = leaf + (side * stride) / 2;
          bits[child] = descend(node, t, side, blocks.data, at, control);
          out.set(node, child * WORDS);
        }
      }
    }
  }
  const whole = [...shape, leaves];
  const values = add(
    seedResidues(out, whole, width),
    mul(widen(ringTensor(whole, 1, bits), width), reshape(last, [...shape, 1])),
  );
  const trimmed = slice(
    values,
    whole.map(() => 0),
    [...shape, length],
    whole.map(() => 1),
  );
  return holder === 0 ? trimmed : neg(trimmed);
}
