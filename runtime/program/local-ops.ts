/**
 * Operators that each party computes on its own share: they are linear in the shared operands, so there is no traffic.
 * The names are those of ir/ops. Public operands are integers; an operand that only the server knows (a bias) is a meta
 * tensor at the client.
 */

import type { Party, ReplicatedShare, Share, SharedValue } from "../core/index.ts";
import { convolutionOf, windowsOf } from "../protocols/arithmetic/index.ts";
import {
  mapComponents,
  mapSecondComponent,
  shareWeight,
  zipComponents,
} from "../protocols/families/replicated/index.ts";
import type { Operand, Spec } from "../protocols/kit/index.ts";
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
  intTensor,
  matmulInteger,
  metaTensor,
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
  zeros,
} from "../ring/index.ts";

export type LocalOp = (party: Party, spec: Spec, ...operands: Operand[]) => SharedValue;

/** Operands of linear operators: additive shares, or replicated shares, of which each party holds two components. */
type Shared = Share | ReplicatedShare;

const share = (tensor: RingTensor): Share => ({ kind: "share", tensor });
/** A private weight is a valid operand where it is shared without traffic: among three computing parties. */
function shareOfOperand(party: Party, x: Operand): Shared {
  if (x.kind === "share" || x.kind === "replicated") return x;
  if (x.kind === "weight") return shareWeight(party, x);
  throw new TypeError(`internal error: a local operator expects a share, got a ${x.kind}`);
}
const map = (x: Shared, kernel: (t: RingTensor) => RingTensor): Shared =>
  x.kind === "share" ? share(kernel(x.tensor)) : mapComponents(x, kernel);

function zip(all: readonly Shared[], kernel: (...tensors: RingTensor[]) => RingTensor): Shared {
  const shares = all.filter((x) => x.kind === "share");
  if (shares.length === all.length) return share(kernel(...shares.map(({ tensor }) => tensor)));
  const replicated = all.filter((x) => x.kind === "replicated");
  if (replicated.length === all.length) return zipComponents(replicated, kernel);
  throw new TypeError("internal error: a local operator expects all its operands in the same sharing");
}
const intOf = (x: Operand): IntTensor => {
  if (x.kind !== "int") throw new TypeError(`internal error: a local operator expects integers, got a ${x.kind}`);
  return x;
};
const numberList = (spec: Spec, name: string): readonly number[] => spec.attrs[name] as readonly number[];

/**
 * Adds integers to one share only: the server's, or the component that client and server hold. The sum has them once.
 */
function addPublic(party: Party, x: Shared, n: IntTensor, shape: readonly number[]): Shared {
  const added = (t: RingTensor): RingTensor => addInteger(t, n);
  const rest = (t: RingTensor): RingTensor => expandTensor(t, shape);
  if (x.kind === "replicated") return mapSecondComponent(party, x, added, rest);
  return share(party.role === "client" ? rest(x.tensor) : added(x.tensor));
}

/** Integers that one party or all parties know, as shares: zero, plus the integers once. */
function sharedInteger(party: Party, like: Shared, n: IntTensor): Shared {
  const nothing = map(like, ({ width }) => zeros(n.shape, width));
  return addPublic(party, nothing, n, n.shape);
}

const unary =
  (kernel: (x: RingTensor, spec: Spec) => RingTensor): LocalOp =>
  (party, spec, x) =>
    map(shareOfOperand(party, x!), (t) => kernel(t, spec));

export const local = {
  add: (party, spec, x, y) => {
    if (x!.kind === "int") return addPublic(party, shareOfOperand(party, y!), x!, spec.result.shape);
    if (y!.kind === "int") return addPublic(party, shareOfOperand(party, x!), y!, spec.result.shape);
    return zip([shareOfOperand(party, x!), shareOfOperand(party, y!)], addRings);
  },
  sub: (party, spec, x, y) => {
    if (y!.kind === "int") return addPublic(party, shareOfOperand(party, x!), negated(y!), spec.result.shape);
    if (x!.kind === "int") return addPublic(party, map(shareOfOperand(party, y!), negRing), x!, spec.result.shape);
    return zip([shareOfOperand(party, x!), shareOfOperand(party, y!)], subRings);
  },
  mul: (party, _spec, x, y) => {
    const [shared, n] = x!.kind === "int" ? [y!, x!] : [x!, intOf(y!)];
    return map(shareOfOperand(party, shared), (t) => mulInteger(t, n));
  },
  matmul: (party, _spec, x, w) => {
    if (x!.kind !== "int") return map(shareOfOperand(party, x!), (t) => matmulInteger(t, intOf(w!)));
    // W·x = (xᵀ·Wᵀ)ᵀ: the kernel takes the shared operand on the left.
    const flipped = swapLastAxes(intOf(x));
    return map(shareOfOperand(party, w!), (t) => swapLastAxes(matmulInteger(swapLastAxes(t), flipped)));
  },
  conv: (party, spec, x, w) => {
    const how = convolutionOf(spec);
    if (x!.kind !== "int") return map(shareOfOperand(party, x!), (t) => convolveInteger(t, intOf(w!), how));
    return map(shareOfOperand(party, w!), (kernels) => convolve(fromIntegers(x, kernels.width), kernels, how));
  },
  "sum-pool": unary((x, spec) => sumWindows(x, windowsOf(spec))),
  neg: unary(negRing),
  narrow: unary((x, spec) => narrowRing(x, spec.result.width)),
  reshape: unary((x, spec) => reshapeTensor(x, spec.result.shape)),
  transpose: unary((x, spec) => transposeTensor(x, numberList(spec, "perm"))),
  expand: unary((x, spec) => expandTensor(x, spec.result.shape)),
  slice: unary((x, spec) =>
    sliceTensor(x, numberList(spec, "starts"), numberList(spec, "ends"), numberList(spec, "steps")),
  ),
  "reduce-sum": unary((x, spec) => sumAxes(x, numberList(spec, "axes"), spec.attrs.keepdims === true)),
  cumsum: unary((x, spec) => runningSum(x, Number(spec.attrs.axis))),
  trilu: unary((x, { attrs }) => mulInteger(x, triangle(x.shape, attrs.upper !== false, Number(attrs.diagonal)))),
  concat: (party, spec, ...parts) => {
    const like = shareOfOperand(party, parts.find((part) => part.kind !== "int")!);
    return zip(
      parts.map((part) => (part.kind === "int" ? sharedInteger(party, like, part) : shareOfOperand(party, part))),
      (...t) => concatTensors(t, Number(spec.attrs.axis)),
    );
  },
  gather: (party, spec, x, indices) => {
    const at = intOf(indices!);
    return map(shareOfOperand(party, x!), (t) => {
      // A party that counts or deals has neither the indices nor a share to select from.
      if (!at.data) return metaTensor(spec.result.shape, t.width);
      return gatherTensor(t, Int32Array.from(at.data), at.shape, Number(spec.attrs.axis));
    });
  },
  rope: (party, _spec, x, cosines, sines) =>
    map(shareOfOperand(party, x!), (t) => {
      const last = t.shape.length - 1;
      const half = t.shape[last]! / 2;
      const part = (from: number): RingTensor =>
        sliceTensor(
          t,
          t.shape.map((_, axis) => (axis === last ? from : 0)),
          t.shape.map((size, axis) => (axis === last ? from + half : size)),
          t.shape.map(() => 1),
        );
      const rotated = concatTensors([negRing(part(half)), part(0)], last);
      return addRings(mulInteger(t, intOf(cosines!)), mulInteger(rotated, intOf(sines!)));
    }),
} as const satisfies Record<string, LocalOp>;

export type LocalOpName = keyof typeof local;

/** Row k is the sum of the rows up to k along an axis; a negative axis counts from the end. */
function runningSum(x: RingTensor, axis: number): RingTensor {
  const along = axis < 0 ? axis + x.shape.length : axis;
  const starts = x.shape.map(() => 0);
  const sums: RingTensor[] = [];
  for (let k = 0; k < x.shape[along]!; k++) {
    const row = sliceTensor(x, starts.with(along, k), [...x.shape].with(along, k + 1));
    sums.push(k > 0 ? addRings(sums[k - 1]!, row) : row);
  }
  return sums.length > 0 ? concatTensors(sums, along) : x;
}

/** 1 in the upper or lower triangle of the last two axes from a diagonal on, 0 elsewhere. */
function triangle(shape: readonly number[], upper: boolean, diagonal: number): IntTensor {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const isInside = (_: unknown, at: number): number => {
    const above = (at % columns) - Math.floor(at / columns);
    return Number(upper ? above >= diagonal : above <= diagonal);
  };
  return intTensor([rows, columns], Float64Array.from({ length: rows * columns }, isInside));
}

const negated = (n: IntTensor): IntTensor => ({ ...n, data: n.data?.map((v) => -v) });

function swapLastAxes<T extends RingTensor | IntTensor>(x: T): T {
  const perm = x.shape.map((_, axis) => axis);
  const rank = perm.length;
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  return transposeTensor(x, perm) as T;
}
