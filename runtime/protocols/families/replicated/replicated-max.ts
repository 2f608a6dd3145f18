import type { Party, Replicated, Steps } from "../../../core/index.ts";
import { concat, reshape, slice } from "../../../ring/index.ts";
import { defineProtocol, type Protocol } from "../../kit/index.ts";
import { addParts, bitTimes, mapParts, partsOf, subParts, zipParts } from "./replicated.ts";
import { topBit } from "./replicated-bits.ts";

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
function* greater(party: Party, x: Replicated, y: Replicated): Steps<Replicated> {
  const isLess = yield* topBit(party, subParts(x, y));
  return addParts(x, yield* bitTimes(party, isLess, subParts(y, x)));
}

/** Entries [from, to) of an axis. */
const part = (x: Replicated, axis: number, from: number, to: number): Replicated =>
  mapParts(x, (t) => {
    const at = (value: number, rest: (k: number) => number): number[] =>
      t.shape.map((_, k) => (k === axis ? value : rest(k)));
    return slice(
      t,
      at(from, () => 0),
      at(to, (k) => t.shape[k]!),
      t.shape.map(() => 1),
    );
  });

/** The greatest along an axis, kept with extent 1, by pairs: 10·⌈log₂ extent⌉ rounds at ℓ = 64. */
function* greatest(party: Party, x: Replicated, axis: number): Steps<Replicated> {
  let left = x;
  for (let extent = x.parts[0].shape[axis]!; extent > 1; extent = left.parts[0].shape[axis]!) {
    const half = Math.floor(extent / 2);
    const winners = yield* greater(party, part(left, axis, 0, half), part(left, axis, half, 2 * half));
    const odd = extent % 2 === 1 ? [part(left, axis, extent - 1, extent)] : [];
    left = zipParts([winners, ...odd], (...t) => concat(t, axis));
  }
  return left;
}

const maximum = {
  ...shared,
  implements: "maximum",
  *run(party, { result: { width } }, x, y) {
    return yield* greater(party, partsOf(party, x, width), partsOf(party, y, width));
  },
} as const satisfies Partial<Protocol>;

export const replicatedMaximum = defineProtocol({
  ...maximum,
  name: "replicated.maximum",
  forms: ["replicated", "replicated"],
});

/** With a public value on the right. */
export const replicatedMaximumPublic = defineProtocol({
  ...maximum,
  name: "replicated.maximum-public",
  forms: ["replicated", "public"],
});

/** The greatest along axes, one axis after the other. */
export const replicatedReduceMax = defineProtocol({
  ...shared,
  name: "replicated.reduce-max",
  implements: "reduce-max",
  forms: ["replicated"],
  *run(party, { attrs, result }, operand) {
    let x = operand as Replicated;
    const rank = x.parts[0].shape.length;
    for (const axis of attrs.axes as readonly number[]) x = yield* greatest(party, x, axis < 0 ? axis + rank : axis);
    return mapParts(x, (t) => reshape(t, result.shape));
  },
});
