import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { type Shape, sizeOf } from "../../ir/type.ts";
import { usersOf } from "../../ir/uses.ts";
import { createFixedStream } from "../tensors/index.ts";

/** Values that a weight starts training with: uniform in [lo, hi]. */
export interface InitialValues {
  readonly lo: number;
  readonly hi: number;
}

const constant = (value: number): InitialValues => ({ lo: value, hi: value });
const [zero, one] = [constant(0), constant(1)];
/**
 * Rows of a table have a deviation of 0.14: PyTorch draws embeddings with 1, language models with 0.02, and norms need
 * both ends of a range, so the geometric mean serves both.
 */
const embedding: InitialValues = { lo: -0.25, hi: 0.25 };
/** PyTorch's start of linear, convolutional and recurrent layers: ±1/√terms, the terms of one sum. */
const fanIn = (terms: number): InitialValues => {
  const bound = 1 / Math.sqrt(Math.max(1, terms));
  return { lo: -bound, hi: bound };
};

/** Bounds of a clipping that clips nothing: the range of what passes must hold for any bound. */
const widest = 8;

/** A use of a weight, or of a value computed from weights alone. */
interface Use {
  readonly op: Op;
  readonly index: number;
  readonly shapes: readonly Shape[];
  /** The op reads weights alone. */
  readonly alone: boolean;
  /** The start that the op's result has in its own uses. */
  readonly ofResult: () => InitialValues | undefined;
}

type Rule = (use: Use) => InitialValues | undefined;

/** A value that the op passes on as it is. */
const passed: Rule = ({ ofResult }) => ofResult();
const tableEntry: Rule = ({ alone, ofResult }) => (alone ? ofResult() : embedding);

/** A sum of weights starts as its result does; a bias is 0, and a table with two axes holds embeddings. */
const addend: Rule = ({ alone, ofResult, shapes, index }) => {
  if (alone) return ofResult();
  return shapes[index]!.filter((size) => size > 1).length >= 2 ? embedding : zero;
};

/** Of a product of weights, the largest starts as the product does, and the others are 1. */
const factor: Rule = ({ alone, ofResult, shapes, index }) => {
  const sizes = shapes.map(sizeOf);
  return alone && index === sizes.indexOf(Math.max(...sizes)) ? ofResult() : one;
};

/** The start of an operand, by operator. Absent: 1. */
const rules: Readonly<Record<string, Rule>> = {
  // The contracted axis is the last of the first operand, and the last but one of the second.
  matmul: ({ shapes, index }) => fanIn(shapes[index]!.at(index === 0 ? -1 : -2) ?? 1),
  "low-rank": ({ shapes, index }) => fanIn(shapes[index]!.at(index === 0 ? -1 : -2) ?? 1),
  conv: ({ shapes, index }) => (index === 0 ? embedding : fanIn(sizeOf(shapes[1]!.slice(1)))),
  add: addend,
  sub: addend,
  mul: factor,
  div: (use) => (use.index === 0 ? factor(use) : one),
  gather: tableEntry,
  "gather-nd": tableEntry,
  "scatter-nd": tableEntry,
  concat: tableEntry,
  where: (use) => (use.index === 0 ? zero : tableEntry(use)),
  lookup: () => embedding,
  attention: () => embedding,
  "cached-attention": () => embedding,
  maximum: ({ alone, ofResult }) => (alone ? ofResult() : constant(-widest)),
  minimum: ({ alone, ofResult }) => (alone ? ofResult() : constant(widest)),
  compare: () => zero,
  ...Object.fromEntries(["exp", "sigmoid", "tanh", "erf", "gelu", "silu", "softmax"].map((name) => [name, () => zero])),
  ...Object.fromEntries(
    ["reshape", "transpose", "slice", "expand", "cast", "neg", "abs", "square", "trilu", "clip", "relu"].map((name) => [
      name,
      passed,
    ]),
  ),
  // What a norm of the weight wants says nothing of its elements.
  ...Object.fromEntries(
    ["reduce-sum", "reduce-mean", "reduce-max", "reduce-min"].map((name) => [
      name,
      ({ alone, ofResult }: Use) => (alone ? undefined : ofResult()),
    ]),
  ),
};

const reach = ({ lo, hi }: InitialValues): number => Math.max(-lo, hi);

/**
 * Values that each weight of a module starts training with, as its uses tell: they follow from the architecture alone,
 * so they are public. Of several uses the widest counts.
 */
export function initialWeights(module: Module): (param: ValueId) => InitialValues {
  const ops = opsOf(module);
  const users = usersOf(ops);
  const held = new Set<ValueId>(Object.keys(module.params));
  for (const { operands, result } of ops) if (operands.every((id) => held.has(id))) held.add(result);
  const known = new Map<ValueId, InitialValues | undefined>();
  const startOf = (id: ValueId): InitialValues | undefined => {
    if (known.has(id)) return known.get(id);
    const wanted = (users.get(id) ?? []).flatMap((op) =>
      op.operands.flatMap((operand, index) => {
        if (operand !== id) return [];
        const shapes = op.operands.map((each) => typeOf(module, each).shape);
        const alone = held.has(op.result);
        const rule = Object.hasOwn(rules, op.name) ? rules[op.name]! : () => one;
        return rule({ op, index, shapes, alone, ofResult: () => startOf(op.result) }) ?? [];
      }),
    );
    const widestUse = wanted.reduce<InitialValues | undefined>(
      (most, each) => (most && reach(most) >= reach(each) ? most : each),
      undefined,
    );
    known.set(id, widestUse);
    return widestUse;
  };
  return (param) => startOf(param) ?? one;
}

/** A stream of numbers in [0, 1) that follows from a name, with FNV-1a as its seed. */
function createStream(name: string): () => number {
  let seed = 2166136261;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 16777619) >>> 0;
  return createFixedStream(seed);
}

/** A tensor with these initial values; the name decides which. */
export function drawInitial({ lo, hi }: InitialValues, shape: Shape, name: string): Tensor {
  const data = new Float64Array(sizeOf(shape));
  if (lo === hi) return { shape, data: data.fill(lo) };
  const next = createStream(name);
  return { shape, data: data.map(() => lo + (hi - lo) * next()) };
}
