import type { Party, ReplicatedShare, Steps } from "../../../core/index.ts";
import { concat, reshape, slice } from "../../../ring/index.ts";
import { defineProtocol, type Protocol } from "../../kit/index.ts";
import { topBit } from "./replicated-bits.ts";
import {
  addReplicated,
  mapComponents,
  multiplyByBit,
  replicatedOperand,
  subReplicated,
  zipComponents,
} from "./replicated-sharing.ts";

const shared = {
  settings: ["3pc"],
  family: "replicated",
  security: "semi-honest",
  paper: "ABY3 (Mohassel, Rindal, CCS 2018), sections 5.3 and 5.4; SPU's tree of maxima",
  accuracy: "exact",
  yields: "share",
  operandWidths: ({ operands, result }) => operands.map(() => result.width),
} as const satisfies Partial<Protocol>;

/** x + [x < y]·(y − x). 10 rounds, 1,055 bits per element at ℓ = 64. */
function* maximumOf(party: Party, x: ReplicatedShare, y: ReplicatedShare): Steps<ReplicatedShare> {
  const isLess = yield* topBit(party, subReplicated(x, y));
  return addReplicated(x, yield* multiplyByBit(party, isLess, subReplicated(y, x)));
}

/** Entries [from, to) of an axis. */
const sliceAxis = (x: ReplicatedShare, axis: number, from: number, to: number): ReplicatedShare =>
  mapComponents(x, (t) => {
    const at = (value: number, rest: (k: number) => number): number[] =>
      t.shape.map((_, k) => (k === axis ? value : rest(k)));
    return slice(
      t,
      at(from, () => 0),
      at(to, (k) => t.shape[k]!),
      t.shape.map(() => 1),
    );
  });

/** The maximum along an axis, kept with size 1, by pairs: 10·⌈log₂ size⌉ rounds at ℓ = 64. */
function* maximumAlong(party: Party, x: ReplicatedShare, axis: number): Steps<ReplicatedShare> {
  let left = x;
  for (let size = x.components[0].shape[axis]!; size > 1; size = left.components[0].shape[axis]!) {
    const half = Math.floor(size / 2);
    const winners = yield* maximumOf(party, sliceAxis(left, axis, 0, half), sliceAxis(left, axis, half, 2 * half));
    const odd = size % 2 === 1 ? [sliceAxis(left, axis, size - 1, size)] : [];
    left = zipComponents([winners, ...odd], (...t) => concat(t, axis));
  }
  return left;
}

const maximum = {
  ...shared,
  implements: "maximum",
  *run(party, { result: { width } }, x, y) {
    return yield* maximumOf(party, replicatedOperand(party, x, width), replicatedOperand(party, y, width));
  },
} as const satisfies Partial<Protocol>;

export const replicatedMaximum = defineProtocol({
  ...maximum,
  name: "replicated.maximum",
  forms: ["replicated", "replicated"],
});

/** The same with a public value on the right. */
export const replicatedMaximumPublic = defineProtocol({
  ...maximum,
  name: "replicated.maximum-public",
  forms: ["replicated", "public"],
});

/** The maximum along several axes, one axis after the other. */
export const replicatedReduceMax = defineProtocol({
  ...shared,
  name: "replicated.reduce-max",
  implements: "reduce-max",
  forms: ["replicated"],
  *run(party, { attrs, result }, operand) {
    let x = operand as ReplicatedShare;
    const rank = x.components[0].shape.length;
    for (const axis of attrs.axes as readonly number[])
      x = yield* maximumAlong(party, x, axis < 0 ? axis + rank : axis);
    return mapComponents(x, (t) => reshape(t, result.shape));
  },
});
