import { evaluateOp } from "../../ir/interpret.ts";
import { type Op, opsOf, type ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { sameShape } from "../../ir/type.ts";
import { type ModelGraph, shapeOf } from "./model-graph.ts";

/**
 * Where the heads of an attention lie in a stored tensor: `blocks[h]` are the indices of head h along `axis`. Whole
 * blocks can be permuted; the order within a block is fixed.
 */
export interface HeadBlocks {
  /** Name of the initializer. */
  readonly tensor: string;
  readonly axis: number;
  readonly blocks: readonly (readonly number[])[];
}

/**
 * Numbers that mark positions: propagated through a module's ops, they show which column of a projection reached which
 * head.
 */
export type HeadMarks = Tensor;

/** A stored matrix or vector on the path, with the mark of each of its columns (or rows, after attention). */
interface MarkedParam {
  readonly param: ValueId;
  readonly axis: number;
  readonly marks: readonly number[];
}

const layoutOps: ReadonlySet<string> = new Set(["reshape", "transpose", "slice", "expand", "cast"]);
const reductions: ReadonlySet<string> = new Set(["reduce-mean", "reduce-sum", "reduce-max"]);

/** Why there is no trace, for a diagnostic. */
export class TraceFault extends Error {}

/** Result of a trace: the marks of every value on the path, and the head of each mark. */
export interface Trace {
  readonly blocks: readonly HeadBlocks[];
  readonly marks: ReadonlyMap<ValueId, HeadMarks>;
  readonly headOf: (mark: number) => number | undefined;
}

/**
 * Traces from the projections to a value of `heads` heads on axis 1 ([B, H, …, D], transposed keys: D on axis 2): the
 * columns of each head in every projection and bias.
 */
export function traceToProjections(graph: ModelGraph, id: ValueId, heads: number, transposed: boolean): Trace {
  const { region, projections } = regionToProjections(graph, id);
  const marks = new Map<ValueId, HeadMarks>();
  const met: MarkedParam[] = [];
  for (const op of projections) {
    marks.set(op.result, columnMarks(graph, op.result));
    const width = shapeOf(graph.unfused.module, op.operands[1]!)[1]!;
    met.push({ param: op.operands[1]!, axis: 1, marks: Array.from({ length: width }, (_, column) => column) });
  }
  const tables: UnmarkedTable[] = [];
  for (const op of opsOf(graph.unfused.module)) {
    if (region.has(op)) marks.set(op.result, propagateOp(graph, op, marks, met, tables));
  }
  const headOf = headsByMark(marks.get(id)!, heads, transposed);
  if (!tables.every((table) => isSameForAllHeads(table, headOf)))
    refuse("a stored tensor has different values for each of its heads");
  const blocks = met.map((each) =>
    blocksOf(
      graph,
      each.param,
      each.axis,
      each.marks.map((mark) => headOf.get(mark)),
      heads,
    ),
  );
  return { blocks, marks: propagateMarks(graph, id, marks), headOf: (mark) => headOf.get(mark) };
}

/** Traces from the result of attention, [B, H, T, D], to the projections that read it: the rows of each head. */
export function traceToOutput(graph: ModelGraph, id: ValueId, heads: number): Trace {
  const shape = shapeOf(graph.unfused.module, id);
  const depth = shape.at(-1)!;
  const start = markTensor(shape, (index) => index[1]! * depth + index[3]!);
  const marks = propagateMarks(graph, id, new Map([[id, start]]));
  const blocks: HeadBlocks[] = [];
  const headOf = (mark: number): number => Math.floor(mark / depth);
  for (const [value, own] of marks) {
    for (const op of graph.users(value)) {
      if (marks.has(op.result)) continue;
      const stored = op.name === "matmul" && op.operands[0] === value && graph.weightKey(op.operands[1]!) !== undefined;
      if (!stored) refuse(`${op.name} reads its result`);
      const rows =
        lastAxisMarks(own) ?? refuse("its result reaches the output projection in a different order in each row");
      blocks.push(blocksOf(graph, op.operands[1]!, 0, rows.map(headOf), heads));
    }
  }
  if (blocks.length === 0) refuse("nothing projects its result");
  return { blocks, marks, headOf };
}

/** The marks, propagated through layout operators and products with a scalar. */
function propagateMarks(
  graph: ModelGraph,
  id: ValueId,
  known: ReadonlyMap<ValueId, HeadMarks>,
): ReadonlyMap<ValueId, HeadMarks> {
  const marks = new Map(known);
  const waiting = [id];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    for (const op of graph.users(value)) {
      const same = (op.name === "mul" || op.name === "div") && op.operands.some((other) => isScalarParam(graph, other));
      if (marks.has(op.result) || (!same && !layoutOps.has(op.name))) continue;
      marks.set(op.result, same ? marks.get(value)! : evaluateOp(op.name, [marks.get(value)!], op.attrs));
      waiting.push(op.result);
    }
  }
  return marks;
}

const isScalarParam = (graph: ModelGraph, id: ValueId): boolean =>
  Object.hasOwn(graph.unfused.module.params, id) && shapeOf(graph.unfused.module, id).every((size) => size === 1);

const refuse = (why: string): never => {
  throw new TraceFault(why);
};

/** Ops from the projections to a value, and the projections: products with a stored matrix. */
function regionToProjections(
  graph: ModelGraph,
  id: ValueId,
): { readonly region: ReadonlySet<Op>; readonly projections: ReadonlySet<Op> } {
  const region = new Set<Op>();
  const projections = new Set<Op>();
  const waiting = [id];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (Object.hasOwn(graph.unfused.module.params, value)) continue;
    const op = graph.definingOp(value) ?? refuse("a part of it is an input of the model");
    if (region.has(op) || projections.has(op)) continue;
    if (op.name === "matmul") {
      const stored = graph.weightKey(op.operands[1]!) !== undefined;
      const flat = shapeOf(graph.unfused.module, op.operands[1]!).length === 2;
      if (!stored || !flat) refuse("it is not projected by a stored matrix");
      projections.add(op);
    } else if (op.name === "gather" || op.name === "attention" || op.name === "softmax" || op.name === "conv") {
      refuse(`${op.name} is before it`);
    } else {
      region.add(op);
      waiting.push(...op.operands);
    }
  }
  return { region, projections };
}

function propagateOp(
  graph: ModelGraph,
  op: Op,
  marks: ReadonlyMap<ValueId, HeadMarks>,
  met: MarkedParam[],
  tables: UnmarkedTable[],
): HeadMarks {
  const own = op.operands.flatMap((operand) => marks.get(operand) ?? []);
  const shape = shapeOf(graph.unfused.module, op.result);
  if (own.length === 0) return markTensor(shape, () => -1); // Tables of positions and the like.
  if (layoutOps.has(op.name) || op.name === "concat") return evaluateOp(op.name, own, op.attrs);
  if (reductions.has(op.name)) return markTensor(shape, () => -1);
  const whole = own.find((each) => sameShape(each.shape, shape) && each.data.some((mark) => mark >= 0));
  if (!whole) return refuse(`${op.name} changes its shape`);
  for (const param of op.operands.filter((operand) => graph.weightKey(operand) !== undefined)) {
    const sizes = shapeOf(graph.unfused.module, param);
    const flat = sizes.every((size, axis) => size === 1 || axis === sizes.length - 1);
    const columns = flat && sizes.at(-1) === shape.at(-1) ? lastAxisMarks(whole) : undefined;
    if (columns) met.push({ param, axis: sizes.length - 1, marks: columns });
    else tables.push({ shape: sizes, whole });
  }
  return whole;
}

/** A stored tensor beside projected values that is no bias of columns: positions, or a norm weight within heads. */
interface UnmarkedTable {
  readonly shape: readonly number[];
  readonly whole: HeadMarks;
}

/** Whether a table has the same values for all heads: none of its axes leads from one head to another. */
function isSameForAllHeads({ shape: dims, whole }: UnmarkedTable, headOf: ReadonlyMap<number, number>): boolean {
  const { shape, data } = whole;
  return dims.every((dim, index) => {
    const axis = shape.length - dims.length + index;
    const step = shape.slice(axis + 1).reduce((size, each) => size * each, 1);
    const first = (at: number): number => at - (Math.floor(at / step) % shape[axis]!) * step;
    return dim === 1 || data.every((mark, at) => headOf.get(mark) === headOf.get(data[first(at)]!));
  });
}

/** Marks along the last axis, if every row has the same. */
function lastAxisMarks({ shape, data }: HeadMarks): readonly number[] | undefined {
  const width = shape.at(-1)!;
  const first = [...data.subarray(0, width)];
  return data.every((mark, at) => mark === first[at % width]) ? first : undefined;
}

function columnMarks(graph: ModelGraph, id: ValueId): HeadMarks {
  const shape = shapeOf(graph.unfused.module, id);
  return markTensor(shape, (index) => index.at(-1)!);
}

function markTensor(shape: readonly number[], mark: (index: readonly number[]) => number): HeadMarks {
  const data = new Float64Array(shape.reduce((size, dim) => size * dim, 1));
  const index = new Array<number>(shape.length).fill(0);
  for (let at = 0; at < data.length; at++) {
    data[at] = mark(index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = index[axis]! + 1;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
  return { shape, data };
}

/** The head that each mark reached. */
function headsByMark({ shape, data }: HeadMarks, heads: number, turned: boolean): ReadonlyMap<number, number> {
  const depth = shape[turned ? shape.length - 2 : shape.length - 1]!;
  const size = data.length / (shape[0]! * heads);
  const found = new Map<number, number>();
  data.forEach((mark, at) => {
    const head = Math.floor(at / size) % heads;
    if (mark < 0 || (found.get(mark) ?? head) !== head) refuse("its heads are not whole columns of a projection");
    found.set(mark, head);
  });
  if (shape[1] !== heads || found.size !== heads * depth) refuse("its heads share columns of a projection");
  return found;
}

/** The blocks in the file's own layout; a matrix may be stored transposed. */
function blocksOf(
  graph: ModelGraph,
  param: ValueId,
  axis: number,
  headOf: readonly (number | undefined)[],
  heads: number,
): HeadBlocks {
  const { storedWeights, catalog } = graph.unfused;
  const { weight, views } = storedWeights.get(graph.weightKey(param)!)!;
  const source = [...catalog.weights.values()].find(({ name }) => name === weight)!.source;
  if (!graph.model.graph.initializers.has(source.name)) refuse(`the weight ${weight} is not an initializer`);
  const turns = views.filter(({ op }) => op === "transpose").length;
  const flat = source.dims.filter((size) => size > 1).length < 2;
  if (views.length > turns && !flat) refuse(`the weight ${weight} is reshaped before it is used`);
  const readers = graph.model.graph.nodes.filter(({ inputs }) => inputs.includes(source.name));
  if (readers.length > 1) refuse(`the weight ${weight} is used ${readers.length} times`);
  const own = flat ? source.dims.findIndex((size) => size > 1) : turns % 2 === 1 ? 1 - axis : axis;
  const blocks = Array.from({ length: heads }, (): number[] => []);
  headOf.forEach((head, index) => {
    if (head !== undefined) blocks[head]!.push(index);
  });
  return { tensor: source.name, axis: Math.max(own, 0), blocks };
}
