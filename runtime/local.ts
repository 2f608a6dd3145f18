/**
 * Operators that each party computes on its own share: linear in what is shared, so no traffic. The same names as in
 * ir/ops; public operands are integers, and an operand that only the server knows (a bias) is a ghost at the client.
 */

import type { Handle, Party, Share } from "./party.ts";
import { convolutionOf, windowsOf } from "./protocols/convolution.ts";
import type { Operand, Spec } from "./protocols/define.ts";
import {
  addInteger,
  add as addRings,
  concat as concatTensors,
  convolve,
  convolveInteger,
  expand as expandTensor,
  fromIntegers,
  gather as gatherTensor,
  type IntTensor,
  matmulInteger,
  mulInteger,
  narrow as narrowRing,
  neg as negRing,
  type RingTensor,
  reshape as reshapeTensor,
  slice as sliceTensor,
  sub as subRings,
  reduceSum as sumAxes,
  sumWindows,
  transpose as transposeTensor,
} from "./ring/index.ts";
import { ghost } from "./ring/tensor.ts";

export type LocalOp = (party: Party, spec: Spec, ...operands: Operand[]) => Handle;

const share = (tensor: RingTensor): Share => ({ kind: "share", tensor });
const isShare = (x: Operand): x is Share => x.kind === "share";
const ringOf = (x: Operand): RingTensor => {
  if (!isShare(x)) throw new TypeError(`a local operator wants a share, got a ${x.kind}`);
  return x.tensor;
};
const intOf = (x: Operand): IntTensor => {
  if (x.kind !== "int") throw new TypeError(`a local operator wants integers, got a ${x.kind}`);
  return x;
};
const numbers = (spec: Spec, name: string): readonly number[] => spec.attrs[name] as readonly number[];

/** Integers join the server's share alone: the sum then holds them once. */
function addOnce(party: Party, x: RingTensor, n: IntTensor, shape: readonly number[]): RingTensor {
  return party.role === "client" ? expandTensor(x, shape) : addInteger(x, n);
}

const unary =
  (kernel: (x: RingTensor, spec: Spec) => RingTensor): LocalOp =>
  (_party, spec, x) =>
    share(kernel(ringOf(x!), spec));

export const local = {
  add: (party, spec, x, y) => {
    if (isShare(x!) && isShare(y!)) return share(addRings(x.tensor, y.tensor));
    const [ring, n] = isShare(x!) ? [x.tensor, intOf(y!)] : [ringOf(y!), intOf(x!)];
    return share(addOnce(party, ring, n, spec.result.shape));
  },
  sub: (party, spec, x, y) => {
    if (isShare(x!) && isShare(y!)) return share(subRings(x.tensor, y.tensor));
    if (isShare(x!)) return share(addOnce(party, x.tensor, negated(intOf(y!)), spec.result.shape));
    return share(addOnce(party, negRing(ringOf(y!)), intOf(x!), spec.result.shape));
  },
  mul: (_party, _spec, x, y) =>
    share(isShare(x!) ? mulInteger(x.tensor, intOf(y!)) : mulInteger(ringOf(y!), intOf(x!))),
  matmul: (_party, _spec, x, w) => {
    if (isShare(x!)) return share(matmulInteger(x.tensor, intOf(w!)));
    // W·x = (xᵀ·Wᵀ)ᵀ: the kernel takes the shared operand on the left.
    const flipped = matmulInteger(swapLast(ringOf(w!)), swapLast(intOf(x!)));
    return share(swapLast(flipped));
  },
  conv: (_party, spec, x, w) => {
    const how = convolutionOf(spec);
    if (isShare(x!)) return share(convolveInteger(x.tensor, intOf(w!), how));
    const kernels = ringOf(w!);
    return share(convolve(fromIntegers(intOf(x!), kernels.width), kernels, how));
  },
  "sum-pool": unary((x, spec) => sumWindows(x, windowsOf(spec))),
  neg: unary(negRing),
  narrow: unary((x, spec) => narrowRing(x, spec.result.width)),
  reshape: unary((x, spec) => reshapeTensor(x, spec.result.shape)),
  transpose: unary((x, spec) => transposeTensor(x, numbers(spec, "perm"))),
  expand: unary((x, spec) => expandTensor(x, spec.result.shape)),
  slice: unary((x, spec) => sliceTensor(x, numbers(spec, "starts"), numbers(spec, "ends"), numbers(spec, "steps"))),
  "reduce-sum": unary((x, spec) => sumAxes(x, numbers(spec, "axes"), spec.attrs.keepdims === true)),
  concat: (_party, spec, ...parts) => share(concatTensors(parts.map(ringOf), Number(spec.attrs.axis))),
  gather: (_party, spec, x, indices) => {
    const at = intOf(indices!);
    // Whoever counts or deals has neither the indices nor a share to choose from.
    if (!at.data) return share(ghost(spec.result.shape, ringOf(x!).width));
    return share(gatherTensor(ringOf(x!), Int32Array.from(at.data), at.shape, Number(spec.attrs.axis)));
  },
  rope: (_party, _spec, x, cosines, sines) => {
    const t = ringOf(x!);
    const last = t.shape.length - 1;
    const half = t.shape[last]! / 2;
    const part = (from: number): RingTensor =>
      sliceTensor(
        t,
        t.shape.map((_, axis) => (axis === last ? from : 0)),
        t.shape.map((extent, axis) => (axis === last ? from + half : extent)),
        t.shape.map(() => 1),
      );
    const rotated = concatTensors([negRing(part(half)), part(0)], last);
    return share(addRings(mulInteger(t, intOf(cosines!)), mulInteger(rotated, intOf(sines!))));
  },
} as const satisfies Record<string, LocalOp>;

export type LocalName = keyof typeof local;

const negated = (n: IntTensor): IntTensor => ({ ...n, data: n.data?.map((v) => -v) });

function swapLast<T extends RingTensor | IntTensor>(x: T): T {
  const perm = x.shape.map((_, axis) => axis);
  const rank = perm.length;
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  return transposeTensor(x, perm) as T;
}
