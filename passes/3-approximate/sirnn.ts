/**
 * SIRNN (Rathee et al., IEEE S&P 2021, section V): tables of digits. Numerics alone: its two parties compute by oblivious
 * transfer, ours with a dealer; what theirs would send is in docs/presets.md. Truncations must be exact, as theirs are: a
 * digit that is one too small makes e^x wrong by 6 %.
 */
import type { ValueId } from "../../ir/module.ts";
import { tensor } from "../../ir/weights.ts";
import type { Maths } from "./maths.ts";
import { factors } from "./normalise.ts";
import {
  attentionBy,
  each,
  type Function as Formula,
  layerNormBy,
  rmsNormBy,
  siluBy,
  softmaxBy,
  softmaxOp,
  tanhBy,
} from "./parts.ts";
import { type Preset, uniformPrecision } from "./preset.ts";

const fraction = 12;

/** Functions of the number that an index stands for, looked up together: x in units of 2^−places, mod 2^bits, above `from`. */
interface Table {
  readonly name: string;
  readonly bits: number;
  readonly places: number;
  /** The least number that an index stands for, in the same units. */
  readonly from: number;
  readonly functions: readonly ((v: number) => number)[];
}

function lookup(maths: Maths, x: ValueId, { name, bits, places, from, functions }: Table): readonly ValueId[] {
  const size = 2 ** bits;
  const entries = new Float64Array(size * functions.length);
  for (let k = from; k < from + size; k++) {
    const row = ((k % size) + size) % size;
    functions.forEach((f, column) => {
      entries[row * functions.length + column] = f(k / 2 ** places);
    });
  }
  const table = maths.param(`${name} of ${bits} bits`, tensor([size, functions.length], entries));
  const all = maths.emit("lookup", [x, table], { bits, fraction: places });
  const shape = maths.shape(x);
  return functions.map((_, column) => maths.emit("reshape", [maths.slice(all, -1, column, column + 1)], { shape }));
}

/** x as a multiple of 2^−places and the rest, from 0 to below that: the rest is looked up, so what is left is exact. */
function digits(
  maths: Maths,
  x: ValueId,
  places: number,
  functions: Table["functions"] = [],
): { readonly high: ValueId; readonly rest: ValueId; readonly found: readonly ValueId[] } {
  const bits = fraction - places;
  const name = `low digit, ${functions.length}`;
  const low = { name, bits, places: fraction, from: 0, functions: [(v: number) => v, ...functions] };
  const [rest, ...found] = lookup(maths, x, low) as [ValueId, ...ValueId[]];
  return { high: maths.sub(x, rest), rest, found };
}

/** e^x for x in (−15, 0]: two digits of 8 bits, and their product (section V-A); 0 below, where SIRNN's 16 bits end. */
const exp: Formula = (maths, x) => {
  const { high, found } = digits(maths, x, fraction - 8, [Math.exp]);
  const [whole] = lookup(maths, high, {
    name: "exp",
    bits: 8,
    places: fraction - 8,
    from: -255,
    functions: [Math.exp],
  });
  const far = maths.emit("compare", [x, maths.constant(-15)], { kind: "less" });
  return maths.emit("where", [far, maths.constant(0), maths.mul(whole!, found[0]!)]);
};

/** Index bits: m = ⌈(s − 2)/2⌉; no step of Goldschmidt's up to 18 fractional bits (section V-B). */
const indexBits = Math.ceil((fraction - 2) / 2);

/** 1/u for u in [1, 2], linear between 2^m places: the tangent at the middle c of each, 1/c − (u − c)/c². */
const reciprocalOfOctave: Formula = (maths, u) => {
  const { high, rest } = digits(maths, u, indexBits);
  const half = 2 ** -(indexBits + 1);
  const [start, slope] = lookup(maths, high, {
    name: "reciprocal",
    bits: indexBits + 1,
    places: indexBits,
    from: 2 ** indexBits,
    functions: [(v) => 1 / (v + half) + half / (v + half) ** 2, (v) => -1 / (v + half) ** 2],
  }) as [ValueId, ValueId];
  return maths.add(start, maths.mul(slope, rest));
};

/** 1/x: SIRNN finds the highest bit by digits, here comparisons do. */
const reciprocal: Formula = (maths, x) => {
  const [factor] = factors(maths, x, { base: 2, below: 8, above: 12 }, [2]) as [ValueId];
  const octave = maths.times(maths.mul(x, factor), 2);
  return maths.times(maths.mul(reciprocalOfOctave(maths, octave), factor), 2);
};

/** 1/√x: a table of m + 1 = ⌈s/2⌉ + 1 bits over [1/4, 1), and one step of Goldschmidt's (section V-C). */
const rsqrt: Formula = (maths, x) => {
  const [factor, root] = factors(maths, x, { base: 4, below: 6, above: 6 }, [4, 2]) as [ValueId, ValueId];
  const u = maths.mul(x, factor);
  const places = Math.ceil(fraction / 2) + 1;
  const middle = (v: number): number => 1 / Math.sqrt(v + 2 ** -(places + 1));
  const table = { name: "rsqrt", bits: places, places, from: 1, functions: [middle] };
  const [start] = lookup(maths, digits(maths, u, places).high, table) as [ValueId];
  const rest = maths.times(maths.from(3, maths.mul(u, maths.square(start))), 0.5);
  return maths.mul(maths.mul(start, rest), root);
};

/** e^−|x| and 1/(1 + it), times 1 or e^−|x| by the sign (section V-B). */
const sigmoid: Formula = (maths, x) => {
  const negative = maths.emit("compare", [x, maths.constant(0)], { kind: "less" });
  const power = exp(maths, maths.emit("where", [negative, x, maths.times(x, -1)]));
  const numerator = maths.emit("where", [negative, power, maths.constant(1)]);
  return maths.mul(numerator, reciprocalOfOctave(maths, maths.plus(power, 1)));
};

const tanh = tanhBy(sigmoid);

/** Not in the paper: x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))), as Iron (Hao et al., NeurIPS 2022) has it on SIRNN's blocks. */
const gelu: Formula = (maths, x) => {
  const bend = maths.plus(maths.times(maths.square(x), 0.044715), 1);
  const inner = maths.mul(maths.times(x, Math.sqrt(2 / Math.PI)), bend);
  return maths.mul(maths.times(x, 0.5), maths.plus(tanh(maths, inner), 1));
};

const softmax = softmaxBy(exp, reciprocal);

export const sirnn: Preset = {
  name: "sirnn",
  source: "SIRNN (Rathee et al., IEEE S&P 2021), section V; numerics alone",
  settings: ["2pc-dealer", "3pc"],
  // Those of one ring that are there for two parties; its own backend is not built.
  families: ["crypten", "marill"],
  ring: 64,
  truncation: "exact",
  precision: uniformPrecision(fraction),
  rewrites: {
    attention: attentionBy(softmax, true),
    softmax: softmaxOp(softmax),
    "rms-norm": rmsNormBy(rsqrt),
    "layer-norm": layerNormBy(rsqrt),
    exp: each(exp),
    reciprocal: each(reciprocal),
    rsqrt: each(rsqrt),
    sigmoid: each(sigmoid),
    tanh: each(tanh),
    silu: each(siluBy(sigmoid)),
    gelu: each(gelu),
  },
};
