import type { Literal } from "./token-reader.ts";

/**
 * The attributes that operators and the tuning of protocols have, and nothing else may stand in a program: an attribute
 * that nobody reads would carry anything to whoever has the file. test/compiler/audit/attributes.test.ts compares this
 * table with the operators of the IR.
 */
const operators: Readonly<Record<string, string>> = {
  argmax: "axis:int keepdims:bool",
  attention: "scale:float causal:bool window:int score_bound:float",
  "cached-attention": "scale:float causal:bool window:int score_bound:float",
  cast: "to:f32|i64|bool",
  clip: "lo:float hi:float",
  compare: "kind:equal|less|less-or-equal|greater|greater-or-equal",
  concat: "axis:int",
  conv: "strides:ints pads:ints dilations:ints group:int",
  cumsum: "axis:int",
  expand: "shape:ints",
  extend: "width:int",
  gather: "axis:int",
  "gather-nd": "batch_dims:int",
  gelu: "approximate:none|tanh",
  "layer-norm": "epsilon:float sum_lo:float sum_hi:float",
  logic: "kind:and|or|xor",
  lookup: "bits:int fraction:int",
  "max-pool": "kernel:ints strides:ints pads:ints dilations:ints",
  narrow: "width:int",
  "one-hot": "depth:int",
  outside: "lo:float hi:float headroom:int",
  rank: "axis:int largest:bool",
  "reduce-max": "axes:ints keepdims:bool",
  "reduce-mean": "axes:ints keepdims:bool",
  "reduce-min": "axes:ints keepdims:bool",
  "reduce-prod": "axes:ints keepdims:bool",
  "reduce-sum": "axes:ints keepdims:bool",
  reshape: "shape:ints",
  reveal: "to:client|server|both|shared",
  "rms-norm": "epsilon:float sum_lo:float sum_hi:float",
  "select-by-rank": "axis:int count:int",
  "sine-series": "period:float sines:floats",
  slice: "starts:ints ends:ints steps:ints",
  softmax: "axis:int sum_lo:float sum_hi:float",
  "sum-pool": "kernel:ints strides:ints pads:ints dilations:ints",
  transpose: "perm:ints",
  trilu: "upper:bool diagonal:int",
  truncate: "by:int",
};

/** How a protocol does it: the planner's choice, on any operator. */
const tuning = "comparison:digits|tree|dpf digit:int radix:int maximum:buckets";

/** Most entries of a list: two for each axis of the largest rank, or the terms of a series. */
export const maxListLength = 16;

const isInt = (x: Literal): boolean => typeof x === "number" && Number.isInteger(x) && Math.abs(x) <= 2 ** 31;
const isFloat = (x: Literal): boolean => typeof x === "number" && !Number.isNaN(x);
const listOf = (is: (x: Literal) => boolean) => (x: Literal) =>
  Array.isArray(x) && x.length <= maxListLength && x.every(is);

const kinds: Readonly<Record<string, (x: Literal) => boolean>> = {
  int: isInt,
  float: isFloat,
  bool: (x) => typeof x === "boolean",
  ints: listOf(isInt),
  floats: listOf(isFloat),
};

const entriesOf = (operator: string): readonly (readonly [name: string, kind: string])[] =>
  `${Object.hasOwn(operators, operator) ? operators[operator] : ""} ${tuning}`
    .trim()
    .split(" ")
    .map((entry) => entry.split(":") as [string, string]);

/** What was expected where attributes are wrong; empty for those that the compiler could have written. */
export function attributeProblems(operator: string, attrs: Readonly<Record<string, Literal>>): readonly string[] {
  const known = new Map(entriesOf(operator));
  return Object.entries(attrs).flatMap(([name, value]) => {
    const kind = known.get(name);
    if (kind === undefined) return [`attributes of ${operator} alone, without ${name}`];
    const fits = kinds[kind] ?? ((x: Literal) => typeof x === "string" && kind.split("|").includes(x));
    return fits(value) ? [] : [`attribute ${name} of ${operator} as ${kind}`];
  });
}
