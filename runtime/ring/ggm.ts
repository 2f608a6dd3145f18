/**
 * A distributed point function by a tree of seeds (Goldreich, Goldwasser and Micali; Boyle, Gilboa and Ishai, CCS 2016,
 * with early termination). Two keys together hold the vector of 2^n bits whose only 1 is at a point α; one key alone
 * says nothing about α. Leaves are blocks of 128 bits, so the tree has n − 7 levels.
 *
 * A seed has 128 bits. One block of ChaCha20 with 128-bit keys (Bernstein, 2008) doubles it; it has no tables, so no
 * timing that depends on seeds. A node of a party has a seed and a control bit t. Off the path to α the two parties'
 * nodes are equal; on it the seeds are independent and the control bits differ: t is an XOR share of "α lies below".
 */
import { chacha20 } from "./chacha.ts";
import { kernel } from "./kernel.ts";
import { lanesOf, metaTensor, type RingTensor, ringTensor, sizeOf } from "./tensor.ts";

/** Bits of the index that a leaf covers. */
export const leafBits = 7;
const WORDS = 4;

/** A party's own key: its root seeds [...shape, 2] of 64 bits, and 0 for the client, 1 for the server. */
export interface GgmRoot {
  readonly seeds: RingTensor;
  readonly control: 0 | 1;
}

/** Corrections that make both trees agree off the path; both parties hold them. */
export interface GgmCorrections {
  /** [...shape, levels + 1, 2] of 64 bits: a block for each level, and one for the leaf. */
  readonly blocks: RingTensor;
  /** [...shape, levels] of 2 bits: the left child's control bit, then the right child's. */
  readonly controls: RingTensor;
}

export const children: Uint32Array = new Uint32Array(2 * WORDS + 1);

/** Expands a seed to its children: four words of the left child, four of the right, and a word of control bits. */
export const expandSeed = (seeds: Uint32Array, at: number, out: Uint32Array = children): void =>
  chacha20(seeds, at, out);

/** Moves a node to its left (0) or right (1) child; returns the new control bit. */
export function descend(
  node: Uint32Array,
  t: number,
  side: number,
  block: Uint32Array,
  at: number,
  control: number,
): number {
  for (let k = 0; k < WORDS; k++) node[k] = children[WORDS * side + k]! ^ (-t & block[at + k]!);
  return (((children[2 * WORDS]! >>> side) & 1) ^ (t & (control >>> side))) & 1;
}

/** Bit `bit` of a residue of one or two lanes. */
const bitOf = (data: Uint32Array, lanes: number, index: number, bit: number): number =>
  (data[index * lanes + (bit >>> 5)]! >>> bit) & 1;

/** Both holders' nodes on the path to a point, as the dealer walks it, and their control bits. */
export interface NodePair {
  readonly nodes: readonly [Uint32Array, Uint32Array];
  readonly bits: Uint32Array;
}
export const createNodePair = (): NodePair => ({
  nodes: [new Uint32Array(WORDS), new Uint32Array(WORDS)],
  bits: new Uint32Array(2),
});

/** Starts at both roots of element e: the first holder's control bit is 0, the second's 1. */
export function startAtRoots({ nodes, bits }: NodePair, first: Uint32Array, second: Uint32Array, e: number): void {
  nodes[0].set(first.subarray(e * WORDS, (e + 1) * WORDS));
  nodes[1].set(second.subarray(e * WORDS, (e + 1) * WORDS));
  bits[0] = 0;
  bits[1] = 1;
}

const grown = new Uint32Array(children.length);

/**
 * Goes one level down, to the side of the point's bit: writes the level's block at `at` and returns its control bits.
 */
export function descendPair({ nodes, bits }: NodePair, bit: number, blocks: Uint32Array, at: number): number {
  expandSeed(nodes[0], 0, grown);
  expandSeed(nodes[1], 0);
  // The child off the path must become equal: the correction is the difference of the two children.
  for (let k = 0; k < WORDS; k++) {
    const left = grown[k]! ^ children[k]!;
    const right = grown[WORDS + k]! ^ children[WORDS + k]!;
    blocks[at + k] = right ^ (-bit & (left ^ right));
  }
  const control = ((grown[2 * WORDS]! ^ children[2 * WORDS]!) & 3) ^ (1 + bit);
  bits[0] = descendSecretly(nodes[0], bits[0]!, bit, blocks, at, control, grown);
  bits[1] = descendSecretly(nodes[1], bits[1]!, bit, blocks, at, control);
  return control;
}

/**
 * The dealer's part: corrections for points α [...shape] of n ≥ 7 bits from both parties' root seeds, and the client's
 * bit at α, of which the server's bit is the complement. Meta tensors if an input is one. Selects, never branches, on
 * α.
 */
export function generateCorrections(
  client: RingTensor,
  server: RingTensor,
  point: RingTensor,
): GgmCorrections & { readonly atPoint: RingTensor } {
  const levels = point.width - leafBits;
  const { shape } = point;
  const blockShape = [...shape, levels + 1, 2];
  const controlShape = [...shape, levels];
  if (!client.data || !server.data || !point.data)
    return { blocks: metaTensor(blockShape, 64), controls: metaTensor(controlShape, 2), atPoint: metaTensor(shape, 1) };
  const count = sizeOf(shape);
  const lanes = lanesOf(point.width);
  const blocks = new Uint32Array(count * (levels + 1) * WORDS);
  const controls = new Uint32Array(count * levels);
  const atPoint = new Uint32Array(count);
  const pair = createNodePair();
  const { nodes, bits } = pair;
  for (let e = 0; e < count; e++) {
    startAtRoots(pair, client.data, server.data, e);
    for (let level = 0; level < levels; level++) {
      const bit = bitOf(point.data, lanes, e, point.width - 1 - level);
      controls[e * levels + level] = descendPair(pair, bit, blocks, (e * (levels + 1) + level) * WORDS);
    }
    const low = point.data[e * lanes]! & 127;
    const at = (e * (levels + 1) + levels) * WORDS;
    let own = 0;
    for (let k = 0; k < WORDS; k++) {
      // 1 in the word that contains the point's bit, without branching on the word's index.
      const here = (((low >>> 5) ^ k) - 1) >>> 31;
      blocks[at + k] = nodes[0][k]! ^ nodes[1][k]! ^ (here << (low & 31));
      own |= here & ((nodes[0][k]! ^ (-bits[0]! & blocks[at + k]!)) >>> (low & 31));
    }
    atPoint[e] = own & 1;
  }
  return {
    blocks: ringTensor(blockShape, 64, blocks),
    controls: ringTensor(controlShape, 2, controls),
    atPoint: ringTensor(shape, 1, atPoint),
  };
}

/** `descend` to a secret side: it reads both children. */
function descendSecretly(
  node: Uint32Array,
  t: number,
  bit: number,
  block: Uint32Array,
  at: number,
  control: number,
  grown = children,
): number {
  for (let k = 0; k < WORDS; k++) {
    const left = grown[k]!;
    node[k] = left ^ (-bit & (left ^ grown[WORDS + k]!)) ^ (-t & block[at + k]!);
  }
  return ((grown[2 * WORDS]! ^ (-t & control)) >>> bit) & 1;
}

/**
 * XOR share of 1{X < α} for public X [T, …shape], in one descent of the tree: wherever the descent turns left, α may
 * lie in the right subtree, whose control bit decides; the rest is the parity of the leaf's bits above X.
 */
export function isBelowPoint(root: GgmRoot, corrections: GgmCorrections, opened: RingTensor): RingTensor {
  const { width } = opened;
  const levels = width - leafBits;
  const lanes = lanesOf(width);
  const inputs = [root.seeds, corrections.blocks, corrections.controls, opened] as const;
  return kernel(inputs, opened.shape, 1, (out, seeds, blocks, controls, x) => {
    const count = seeds.length / WORDS;
    const node = new Uint32Array(WORDS);
    for (let i = 0; i < out.length; i++) {
      const e = i % count;
      node.set(seeds.subarray(e * WORDS, (e + 1) * WORDS));
      let t: number = root.control;
      let share = 0;
      for (let level = 0; level < levels; level++) {
        const at = (e * (levels + 1) + level) * WORDS;
        const control = controls[e * levels + level]!;
        expandSeed(node, 0);
        // X is public: branching on its bits reveals nothing.
        const side = bitOf(x, lanes, i, width - 1 - level);
        if (side === 0) share ^= (children[2 * WORDS]! >>> 1) ^ (t & (control >>> 1));
        t = descend(node, t, side, blocks, at, control);
      }
      const low = x[i * lanes]! & 127;
      const at = (e * (levels + 1) + levels) * WORDS;
      let above = 0;
      for (let k = low >>> 5; k < WORDS; k++) {
        const kept = k === low >>> 5 ? ~((2 << (low & 31)) - 1) : -1;
        above ^= (node[k]! ^ (-t & blocks[at + k]!)) & kept;
      }
      out[i] = (share ^ parity(above)) & 1;
    }
  });
}

/** XOR share of the whole vector, as words [...shape, 2^(n−5)] of 32 bits: bit j is a share of 1{j = α}. */
export function unitVector(root: GgmRoot, corrections: GgmCorrections): RingTensor {
  const shape = root.seeds.shape.slice(0, -1);
  const levels = corrections.controls.shape.at(-1)!;
  const size = 2 ** levels * WORDS;
  const inputs = [root.seeds, corrections.blocks, corrections.controls] as const;
  return kernel(inputs, [...shape, size], 32, (out, seeds, blocks, controls) => {
    const count = seeds.length / WORDS;
    const node = new Uint32Array(WORDS);
    const bits = new Uint8Array(2 ** levels);
    for (let e = 0; e < count; e++) {
      // Breadth first, in the same array: the nodes of a level are `stride` leaves apart, the right child in the
      // middle.
      const base = e * size;
      out.set(seeds.subarray(e * WORDS, (e + 1) * WORDS), base);
      bits[0] = root.control;
      for (let level = 0; level < levels; level++) {
        const stride = 2 ** (levels - level);
        const at = (e * (levels + 1) + level) * WORDS;
        const control = controls[e * levels + level]!;
        for (let leaf = 0; leaf < 2 ** levels; leaf += stride) {
          const t = bits[leaf]!;
          expandSeed(out, base + leaf * WORDS);
          for (const side of [0, 1]) {
            const child = leaf + (side * stride) / 2;
            bits[child] = descend(node, t, side, blocks, at, control);
            out.set(node, base + child * WORDS);
          }
        }
      }
      const at = (e * (levels + 1) + levels) * WORDS;
      for (let k = 0; k < size; k++) out[base + k] = out[base + k]! ^ (-bits[k >>> 2]! & blocks[at + (k & 3)]!);
    }
  });
}

function parity(word: number): number {
  let folded = word ^ (word >>> 16);
  folded ^= folded >>> 8;
  folded ^= folded >>> 4;
  return (0x6996 >>> (folded & 15)) & 1;
}
