/**
 * SIRNN (Rathee et al., IEEE S&P 2021, section V): tables of digits. Numerics only: its two parties use oblivious
 * transfer, ours use a dealer. docs/presets.md has the traffic of theirs. Truncations must be exact, as theirs are: a
 * digit that is one too small makes e^x wrong by 6 %.
 */
import type { ValueId } from "../../ir/module.ts";
import { tensor } from "../../ir/tensor.ts";
import {
  attentionBy,
  elementwise,
  type Formula,
  layerNormBy,
  rmsNormBy,
  siluBy,
  softmaxBy,
  softmaxOp,
  tanhBy,
} from "./building-blocks.ts";
import type { FormulaBuilder } from "./formula-builder.ts";
import { type Preset, uniformPrecision } from "./preset.ts";
import { scaleFactors } from "./reciprocal-functions.ts";

const fraction = 12;

/** Functions tabulated together. The index is x in units of 2^−fractionBits, mod 2^bits, from `from` on. */
interface LookupTable {
  readonly name: string;
  readonly bits: number;
  readonly fractionBits: number;
  /** The least x of the table, in the same units. */
  readonly from: number;
  readonly functions: readonly ((v: number) => number)[];
}

function lookup(
  maths: FormulaBuilder,
  x: ValueId,
  { name, bits, fractionBits, from, functions }: LookupTable,
): readonly ValueId[] {
  const size = 2 ** bits;
  const entries = new Float64Array(size * functions.length);
  for (let k = from; k < from + size; k++) {
    const row = ((k % size) + size) % size;
    functions.forEach((f, column) => {
      entries[row * functions.length + column] = f(k / 2 ** fractionBits);
    });
  }
  const table = maths.param(`${name} of ${bits} bits`, tensor([size, functions.length], entries));
  const all = maths.emit("lookup", [x, table], { bits, fraction: fractionBits });
  const shape = maths.shape(x);
  return functions.map((_, column) => maths.emit("reshape", [maths.slice(all, -1, column, column + 1)], { shape }));
}

/**
 * x as a multiple of 2^−fractionBits and a rest in [0, 2^−fractionBits). The rest is looked up, so the multiple is
 * exact.
 */
function digits(
  maths: FormulaBuilder,
  x: ValueId,
  fractionBits: number,
  functions: LookupTable["functions"] = [],
): { readonly high: ValueId; readonly rest: ValueId; readonly found: readonly ValueId[] } {
  const bits = fraction - fractionBits;
  const name = `low digit, ${functions.length}`;
  const low = { name, bits, fractionBits: fraction, from: 0, functions: [(v: number) => v, ...functions] };
  const [rest, ...found] = lookup(maths, x, low) as [ValueId, ...ValueId[]];
  return { high: maths.sub(x, rest), rest, found };
}

/** e^x for x in (−15, 0]: two digits of 8 bits, and their product (section V-A); 0 below, where SIRNN's 16 bits end. */
const exp: Formula = (maths, x) => {
  const { high, found } = digits(maths, x, fraction - 8, [Math.exp]);
  const [whole] = lookup(maths, high, {
    name: "exp",
    bits: 8,
    fractionBits: fraction - 8,
    from: -255,
    functions: [Math.exp],
  });
  const far = maths.emit("compare", [x, maths.constant(-15)], { kind: "less" });
  return maths.emit("where", [far, maths.constant(0), maths.mul(whole!, found[0]!)]);
};

/** Index bits: m = ⌈(s − 2)/2⌉; no step of Goldschmidt's up to 18 fractional bits (section V-B). */
const indexBits = Math.ceil((fraction - 2) / 2);

/** 1/u for u in [1, 2], linear between 2^m points: the tangent at the middle c of each, 1/c − (u − c)/c². */
const reciprocalOnBinade: Formula = (maths, u) => {
  const { high, rest } = digits(maths, u, indexBits);
  const half = 2 ** -(indexBits + 1);
  const [start, slope] = lookup(maths, high, {
    name: "reciprocal",
    bits: indexBits + 1,
    fractionBits: indexBits,
    from: 2 ** indexBits,
    functions: [(v) => 1 / (v + half) + half / (v + half) ** 2, (v) => -1 / (v + half) ** 2],
  }) as [ValueId, ValueId];
  return maths.add(start, maths.mul(slope, rest));
};

/** 1/x: SIRNN finds the highest bit by digits, this by comparisons. */
const reciprocal: Formula = (maths, x) => {
  const [factor] = scaleFactors(maths, x, { base: 2, below: 8, above: 12 }, [2]) as [ValueId];
  const mantissa = maths.scale(maths.mul(x, factor), 2);
  return maths.scale(maths.mul(reciprocalOnBinade(maths, mantissa), factor), 2);
};

/** 1/√x: a table of m + 1 = ⌈s/2⌉ + 1 bits over [1/4, 1), and one step of Goldschmidt's (section V-C). */
const rsqrt: Formula = (maths, x) => {
  const [factor, root] = scaleFactors(maths, x, { base: 4, below: 6, above: 6 }, [4, 2]) as [ValueId, ValueId];
  const u = maths.mul(x, factor);
  const indexBits = Math.ceil(fraction / 2) + 1;
  const middle = (v: number): number => 1 / Math.sqrt(v + 2 ** -(indexBits + 1));
  const table = { name: "rsqrt", bits: indexBits, fractionBits: indexBits, from: 1, functions: [middle] };
  const [start] = lookup(maths, digits(maths, u, indexBits).high, table) as [ValueId];
  const rest = maths.scale(maths.subtractFrom(3, maths.mul(u, maths.square(start))), 0.5);
  return maths.mul(maths.mul(start, rest), root);
};

/** e^−|x| and 1/(1 + it), times 1 or e^−|x| by the sign (section V-B). */
const sigmoid: Formula = (maths, x) => {
  const negative = maths.emit("compare", [x, maths.constant(0)], { kind: "less" });
  const power = exp(maths, maths.emit("where", [negative, x, maths.scale(x, -1)]));
  const numerator = maths.emit("where", [negative, power, maths.constant(1)]);
  return maths.mul(numerator, reciprocalOnBinade(maths, maths.addConstant(power, 1)));
};

const tanh = tanhBy(sigmoid);

/**
 * Not in the paper: x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))), as Iron (Hao et al., NeurIPS 2022) has it on SIRNN's
 * blocks.
 */
const gelu: Formula = (maths, x) => {
  const bend = maths.addConstant(maths.scale(maths.square(x), 0.044715), 1);
  const inner = maths.mul(maths.scale(x, Math.sqrt(2 / Math.PI)), bend);
  return maths.mul(maths.scale(x, 0.5), maths.addConstant(tanh(maths, inner), 1));
};

const softmax = softmaxBy(exp, reciprocal);

export const sirnn: Preset = {
  name: "sirnn",
  source: "SIRNN (Rathee et al., IEEE S&P 2021), section V; numerics alone",
  settings: ["2pc-dealer", "3pc"],
  // The families with one ring for two parties; SIRNN's own backend is not implemented.
  families: ["crypten", "marill"],
  ring: 64,
  truncation: "exact",
  precision: uniformPrecision(fraction),
  rewrites: {
    attention: attentionBy(softmax, true),
    softmax: softmaxOp(softmax),
    "rms-norm": rmsNormBy(rsqrt),
    "layer-norm": layerNormBy(rsqrt),
    exp: elementwise(exp),
    reciprocal: elementwise(reciprocal),
    rsqrt: elementwise(rsqrt),
    sigmoid: elementwise(sigmoid),
    tanh: elementwise(tanh),
    silu: elementwise(siluBy(sigmoid)),
    gelu: elementwise(gelu),
  },
};
