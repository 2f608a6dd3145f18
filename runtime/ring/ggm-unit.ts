/**
 * A distributed point function with values in a ring (Boyle, Gilboa, Ishai, CCS 2016, figure 1): two keys that together
 * hold additive shares of the vector that is 1 at a point and 0 elsewhere; one alone says nothing about the point. The
 * tree is that of ggm.ts, down to single places: a leaf's seed is read as a residue.
 */

import { add, addConstant, mul, mulConstant, neg, sub } from "./arithmetic.ts";
import { descend, double, growLevel, newPair, plant } from "./ggm.ts";
import { canonicalise } from "./kernel.ts";
import { widen } from "./shift.ts";
import { reshape, slice } from "./structure.ts";
import { ghost, type IntTensor, lanesOf, type RingTensor, ring, sizeOf } from "./tensor.ts";

const WORDS = 4;

/** What both holders of a key are sent; with n levels n·130 + width bits a point. */
export interface UnitCorrections {
  /** [...shape, n, 2] of 64 bits. */
  readonly blocks: RingTensor;
  /** [...shape, n] of 2 bits: of the left child's control bit, and of the right one's. */
  readonly controls: RingTensor;
  /** [...shape] in the ring: makes the value at the point 1. */
  readonly last: RingTensor;
}

/** Levels of the tree over so many places. */
export const levelsOf = (places: number): number => Math.max(1, Math.ceil(Math.log2(places)));

/** The first `width` bits of each seed. */
function residues(seeds: Uint32Array, shape: readonly number[], width: number): RingTensor {
  const lanes = lanesOf(width);
  const data = new Uint32Array(sizeOf(shape) * lanes);
  for (let k = 0; k < data.length; k++) data[k] = seeds[Math.floor(k / lanes) * WORDS + (k % lanes)]!;
  canonicalise(data, width);
  return ring(shape, width, data);
}

/**
 * Corrections for points below 2^levels [...shape], from the root seeds [...shape, 2] of 64 bits of the first and of the
 * second holder. Ghosts where an input is one. Selects, never branches, on a point.
 */
export function growUnit(
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
    return { blocks: ghost(blockShape, 64), controls: ghost(controlShape, 2), last: ghost(shape, width) };
  const count = sizeOf(shape);
  const blocks = new Uint32Array(count * levels * WORDS);
  const controls = new Uint32Array(count * levels);
  const ends = [new Uint32Array(count * WORDS), new Uint32Array(count * WORDS)] as const;
  const secondBits = new Uint32Array(count);
  const pair = newPair();
  const { nodes, bits } = pair;
  for (let e = 0; e < count; e++) {
    plant(pair, first.data, second.data, e);
    for (let level = 0; level < levels; level++) {
      const bit = (point.data[e]! >>> (levels - 1 - level)) & 1;
      controls[e * levels + level] = growLevel(pair, bit, blocks, (e * levels + level) * WORDS);
    }
    ends[0].set(nodes[0], e * WORDS);
    ends[1].set(nodes[1], e * WORDS);
    secondBits[e] = bits[1]!;
  }
  // c₀ − c₁ + (t₀ − t₁)·last = 1 at the point, where the control bits differ.
  const [c0, c1] = ends.map((seeds) => residues(seeds, shape, width)) as [RingTensor, RingTensor];
  const missing = sub(addConstant(c1, 1), c0);
  const signed = mul(widen(ring(shape, 1, secondBits), width), mulConstant(missing, 2));
  return {
    blocks: ring(blockShape, 64, blocks),
    controls: ring(controlShape, 2, controls),
    last: sub(missing, signed),
  };
}

/** This holder's additive share of the unit vectors [...shape, places]; `place` 0 for the first holder, 1 for the second. */
export function expandUnit(
  seeds: RingTensor,
  place: 0 | 1,
  { blocks, controls, last }: UnitCorrections,
  places: number,
): RingTensor {
  const shape = last.shape;
  const { width } = last;
  if (!seeds.data || !blocks.data || !controls.data) return ghost([...shape, places], width);
  const levels = controls.shape.at(-1)!;
  const leaves = 2 ** levels;
  const count = sizeOf(shape);
  const out = new Uint32Array(count * leaves * WORDS);
  const bits = new Uint32Array(count * leaves);
  const node = new Uint32Array(WORDS);
  for (let e = 0; e < count; e++) {
    // Breadth first in place: the nodes of a level stand `stride` leaves apart, the right child in the middle.
    const base = e * leaves;
    out.set(seeds.data.subarray(e * WORDS, (e + 1) * WORDS), base * WORDS);
    bits[base] = place;
    for (let level = 0; level < levels; level++) {
      const stride = 2 ** (levels - level);
      const at = (e * levels + level) * WORDS;
      const control = controls.data[e * levels + level]!;
      for (let leaf = base; leaf < base + leaves; leaf += stride) {
        const t = bits[leaf]!;
        double(out, leaf * WORDS);
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
    residues(out, whole, width),
    mul(widen(ring(whole, 1, bits), width), reshape(last, [...shape, 1])),
  );
  const kept = slice(
    values,
    whole.map(() => 0),
    [...shape, places],
    whole.map(() => 1),
  );
  return place === 0 ? kept : neg(kept);
}
