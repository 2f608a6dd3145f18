import { opDef } from "../../ir/registry.ts";
import type { Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { type Shape, sizeOf } from "../../runtime/ring/tensor.ts";
import { fixed, reals } from "./execute-protocol.ts";
import { binary, elementwise, type ProtocolSpecs, rowsOf, rowwise, unary } from "./spec-grids.ts";

/** Specs of the protocols that compare and select: small integers, of which many are equal, and reals. */

const tunings: readonly Spec["attrs"][] = [{}, { comparison: "tree" }, { digit: 3 }, {}, { digit: 5 }];
const tuned = (specs: readonly Spec[]): readonly Spec[] =>
  specs.map((spec, k) => ({ ...spec, attrs: { ...spec.attrs, ...tunings[k % tunings.length] } }));

const equal = [0, 12, 0, 8, 5] as const;
const pairs = (widths: readonly number[]): readonly Spec[] =>
  tuned(binary({ bounds: [3, 3, 3], scales: equal.map((s) => [s, s, s] as const), widths }));
const singles = (widths: readonly number[], attrs: readonly Spec["attrs"][] = [{}], bound = 3): readonly Spec[] =>
  tuned(unary({ lo: -bound, hi: bound, scales: equal.map((s) => [s, s] as const), widths, attrs }));

const kinds = ["less", "equal", "greater", "less-or-equal", "greater-or-equal"];
const relations = elementwise(
  pairs([1]).map((spec, k) => ({
    ...spec,
    result: { ...spec.result, scale: 0, lo: 0, hi: 1 },
    attrs: { ...spec.attrs, kind: kinds[(k + Math.floor(k / 5)) % 5]! },
  })),
);
const truth = (shape: Shape, width = 1) => fixed(shape, 0, 0, 1, width);
const logic = elementwise(
  ["and", "or", "xor"].flatMap((kind) => [
    ...binary({ bounds: [1, 1, 1], scales: [[0, 0, 0]], widths: [1] }).map(({ operands, result }) => ({
      operands: operands.map(({ shape }) => truth(shape)),
      result: truth(result.shape),
      attrs: { kind },
    })),
    ...unary({ lo: 0, hi: 1, scales: [[0, 0]], widths: [1] }).map(({ result: { shape } }) => ({
      operands: [truth(shape), truth(shape)],
      result: truth(shape),
      attrs: { kind },
    })),
  ]),
);
const choices = elementwise(
  binary({ bounds: [9, 9, 9], scales: equal.map((s) => [s, s, s] as const), widths: [6, 40, 37, 18, 64] })
    .filter(({ result }) => result.width > 5 + result.scale)
    .flatMap((spec, k) => [
      { ...spec, operands: [truth(k % 2 === 0 ? spec.result.shape : []), ...spec.operands] },
      // A selection between booleans is a boolean.
      ...(k % 7 === 0
        ? [
            {
              operands: [truth(spec.result.shape), ...spec.operands.map(({ shape }) => truth(shape))],
              result: truth(spec.result.shape),
              attrs: {},
            },
          ]
        : []),
    ]),
);
const extremes = elementwise(pairs([18, 40, 31, 64]));
const booleanOperand = (width: number) => ({
  lo: 0,
  hi: 1,
  scales: Array(5).fill([0, 0]),
  widths: [width, 33, 12, 64],
});

const dropAxis = (shape: Shape, axis: number): Shape => shape.map((size, k) => (k === axis ? 1 : size));
/** Rows along the last or the first axis, by all radices. */
const along = (result: (spec: Spec) => Spec): ProtocolSpecs => ({
  specs: tuned(
    rowwise((shape, setting) => {
      const axis = setting % 2 === 0 ? shape.length - 1 : 0;
      const scale = equal[setting]!;
      return result({
        operands: [fixed(shape, scale, -3, 3)],
        result: fixed(dropAxis(shape, axis), scale, -3, 3, [18, 40, 17, 64, 24][setting]!),
        attrs: { axis, radix: [4, 2, 3, 4, 2][setting]! },
      });
    }, 5),
  ),
  draws: rowsOf,
});
const reduced = along((spec) => ({
  ...spec,
  attrs: { ...spec.attrs, axes: [Number(spec.attrs.axis)], keepdims: true },
}));

const ranked = along((spec) => ({
  ...spec,
  result: { ...spec.operands[0]!, scale: 0, lo: 0, hi: 16, width: [6, 40, 7, 64, 12][spec.operands[0]!.shape.length]! },
  attrs: { ...spec.attrs, largest: spec.operands[0]!.scale !== 5 },
}));
/** A permutation of each row, by the order of random keys. */
const permutations = ({ operands: [ranks], attrs }: Spec, trial: number): Float64Array => {
  const { shape } = ranks!;
  return opDef("rank").evaluate([{ shape, data: reals(sizeOf(shape), -1, 1, trial) }], { ...attrs, largest: true })
    .data;
};
/** The first entries of a permutation, or their indices. */
const selectedByRank: ProtocolSpecs = {
  specs: ranked.specs.map(({ operands: [x], result, attrs: { axis } }, k) => {
    const length = x!.shape[Number(axis)]!;
    const count = 1 + (k % Math.min(3, length));
    const entries = k % 3 === 0 ? [] : [x!];
    const shape = x!.shape.with(Number(axis), count);
    return {
      operands: [fixed(x!.shape, 0, 0, length - 1), ...entries],
      result: entries.length === 0 ? { ...result, shape } : { ...x!, shape, width: [31, 40, 64][k % 3]! },
      attrs: { axis: axis!, count },
    };
  }),
  draws: rowsOf,
  inputs: (spec, trial) => [
    permutations(spec, trial),
    ...spec.operands.slice(1).map((x) => reals(sizeOf(x.shape), x.lo, x.hi, trial + 1000)),
  ],
};

export const orderingRows: Readonly<Record<string, ProtocolSpecs>> = {
  "bit.extend": elementwise(unary(booleanOperand(2))),
  "bit.where": choices,
  "local.cast": elementwise(
    unary({ lo: -3, hi: 3, scales: [0, 4, 12, 0, 0].map((s, k) => [s, s + [12, 0, 4, 0, 1][k]!] as const) }).map(
      (spec) => ({ ...spec, attrs: { to: "f32" } }),
    ),
  ),
  "local.logic": logic,
  "local.not": elementwise(unary(booleanOperand(1))),
  "masked.abs": elementwise(singles([18, 40, 31, 64])),
  "masked.compare": relations,
  "masked.logic": logic,
  "masked.maximum": extremes,
  "masked.minimum": extremes,
  "masked.where": choices,
  "masked.where-else": choices,
  "masked.where-public": choices,
  "pairwise.rank": ranked,
  "table.select-by-rank": selectedByRank,
  "threshold.clip": elementwise(
    singles(
      [20, 40, 31, 64],
      [
        { lo: -1, hi: 1.7 },
        { lo: -Infinity, hi: 0.3 },
        { lo: 0, hi: Infinity },
        { lo: -9, hi: 9 },
      ],
    ),
  ),
  "threshold.compare": relations,
  "threshold.maximum": extremes,
  "threshold.minimum": extremes,
  "threshold.outside": elementwise(
    singles(
      [1],
      [
        { lo: -1, hi: 1.7, headroom: 0 },
        { lo: -3, hi: 3, headroom: 8 },
        { lo: 0, hi: 0, headroom: 3 },
      ],
    ).map((spec) => ({ ...spec, result: { ...spec.result, scale: 0, lo: 0, hi: 1 } })),
  ),
  "threshold.sign": elementwise(
    singles([2, 40, 12, 64]).map((spec) => ({ ...spec, result: { ...spec.result, scale: 0, lo: -1, hi: 1 } })),
  ),
  "tournament.argmax": along((spec) => ({
    ...spec,
    result: {
      ...spec.result,
      scale: 0,
      lo: 0,
      hi: 16,
      width: [6, 40, 7, 64, 12][(spec.operands[0]!.shape.length + 2) % 5]!,
    },
    attrs: { ...spec.attrs, keepdims: true },
  })),
  "tournament.reduce-max": reduced,
  "tournament.reduce-min": reduced,
};
