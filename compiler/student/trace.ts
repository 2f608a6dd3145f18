import { evaluateOp } from "../../ir/interpret.ts";
import type { Op, ValueId } from "../../ir/module.ts";
import { opsOf } from "../../ir/module.ts";
import { sameShape } from "../../ir/type.ts";
import type { Tensor } from "../../ir/weights.ts";
import { type Graph, shapeOf } from "./graph.ts";

/**
 * Where the heads of an attention lie in a stored tensor: `blocks[h]` are the indices of head h along `axis`. Whole
 * blocks can change places; what is within a block keeps its order.
 */
export interface HeadBlocks {
  /** Name of the initializer. */
  readonly tensor: string;
  readonly axis: number;
  readonly blocks: readonly (readonly number[])[];
}

/** Numbers that mark places: pushed through a module's ops, they say which column of a projection came to which head. */
export type Marks = Tensor;

/** A stored matrix or vector on the way, with the mark of each of its columns (or rows, on the way out). */
interface Met {
  readonly param: ValueId;
  readonly axis: number;
  readonly marks: readonly number[];
}

const layoutOps: ReadonlySet<string> = new Set(["reshape", "transpose", "slice", "expand", "cast"]);
const reductions: ReadonlySet<string> = new Set(["reduce-mean", "reduce-sum", "reduce-max"]);

/** No trace: why, for the reader of a diagnostic. */
export class TraceFault extends Error {}

/** What a trace saw: the marks of every value on the way, and which head a mark belongs to. */
export interface Trace {
  readonly blocks: readonly HeadBlocks[];
  readonly marks: ReadonlyMap<ValueId, Marks>;
  readonly headOf: (mark: number) => number | undefined;
}

/**
 * From the projections to a value of `heads` heads on axis 1 ([B, H, …, D], keys turned: D on axis 2): the columns
 * of each head in every projection and bias.
 */
export function traceBack(graph: Graph, id: ValueId, heads: number, turned: boolean): Trace {
  const { region, projections } = regionBefore(graph, id);
  const marks = new Map<ValueId, Marks>();
  const met: Met[] = [];
  for (const op of projections) {
    marks.set(op.result, columnsOf(graph, op.result));
    const width = shapeOf(graph.plain.module, op.operands[1]!)[1]!;
    met.push({ param: op.operands[1]!, axis: 1, marks: Array.from({ length: width }, (_, column) => column) });
  }
  const tables: Table[] = [];
  for (const op of opsOf(graph.plain.module)) {
    if (region.has(op)) marks.set(op.result, push(graph, op, marks, met, tables));
  }
  const headOf = headsByMark(marks.get(id)!, heads, turned);
  if (!tables.every((table) => isShared(table, headOf)))
    refuse("a stored tensor has other numbers for each of its heads");
  const blocks = met.map((each) =>
    blocksOf(
      graph,
      each.param,
      each.axis,
      each.marks.map((mark) => headOf.get(mark)),
      heads,
    ),
  );
  return { blocks, marks: flowOn(graph, id, marks), headOf: (mark) => headOf.get(mark) };
}

/** From the result of attention, [B, H, T, D], to the projections that read it: the rows of each head. */
export function traceOn(graph: Graph, id: ValueId, heads: number): Trace {
  const shape = shapeOf(graph.plain.module, id);
  const depth = shape.at(-1)!;
  const start = marked(shape, (index) => index[1]! * depth + index[3]!);
  const marks = flowOn(graph, id, new Map([[id, start]]));
  const blocks: HeadBlocks[] = [];
  const headOf = (mark: number): number => Math.floor(mark / depth);
  for (const [value, own] of marks) {
    for (const op of graph.users(value)) {
      if (marks.has(op.result)) continue;
      const stored = op.name === "matmul" && op.operands[0] === value && graph.weightKey(op.operands[1]!) !== undefined;
      if (!stored) refuse(`${op.name} reads its result`);
      const rows = lastAxis(own) ?? refuse("its result reaches the output projection in another order in each row");
      blocks.push(blocksOf(graph, op.operands[1]!, 0, rows.map(headOf), heads));
    }
  }
  if (blocks.length === 0) refuse("nothing projects its result");
  return { blocks, marks, headOf };
}

/** The marks, and those of what layout operators and products with one number make of a value. */
function flowOn(graph: Graph, id: ValueId, known: ReadonlyMap<ValueId, Marks>): ReadonlyMap<ValueId, Marks> {
  const marks = new Map(known);
  const waiting = [id];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    for (const op of graph.users(value)) {
      const same = (op.name === "mul" || op.name === "div") && op.operands.some((other) => isNumber(graph, other));
      if (marks.has(op.result) || (!same && !layoutOps.has(op.name))) continue;
      marks.set(op.result, same ? marks.get(value)! : evaluateOp(op.name, [marks.get(value)!], op.attrs));
      waiting.push(op.result);
    }
  }
  return marks;
}

const isNumber = (graph: Graph, id: ValueId): boolean =>
  Object.hasOwn(graph.plain.module.params, id) && shapeOf(graph.plain.module, id).every((extent) => extent === 1);

const refuse = (why: string): never => {
  throw new TraceFault(why);
};

/** Ops from the projections to a value, and the projections: products with a stored matrix. */
function regionBefore(
  graph: Graph,
  id: ValueId,
): { readonly region: ReadonlySet<Op>; readonly projections: ReadonlySet<Op> } {
  const region = new Set<Op>();
  const projections = new Set<Op>();
  const waiting = [id];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (Object.hasOwn(graph.plain.module.params, value)) continue;
    const op = graph.definer(value) ?? refuse("a part of it is an input of the model");
    if (region.has(op) || projections.has(op)) continue;
    if (op.name === "matmul") {
      const stored = graph.weightKey(op.operands[1]!) !== undefined;
      const flat = shapeOf(graph.plain.module, op.operands[1]!).length === 2;
      if (!stored || !flat) refuse("it is not projected by a stored matrix");
      projections.add(op);
    } else if (op.name === "gather" || op.name === "attention" || op.name === "softmax" || op.name === "conv") {
      refuse(`${op.name} stands before it`);
    } else {
      region.add(op);
      waiting.push(...op.operands);
    }
  }
  return { region, projections };
}

function push(graph: Graph, op: Op, marks: ReadonlyMap<ValueId, Marks>, met: Met[], tables: Table[]): Marks {
  const own = op.operands.flatMap((operand) => marks.get(operand) ?? []);
  const shape = shapeOf(graph.plain.module, op.result);
  if (own.length === 0) return marked(shape, () => -1); // Tables of positions and the like.
  if (layoutOps.has(op.name) || op.name === "concat") return evaluateOp(op.name, own, op.attrs);
  if (reductions.has(op.name)) return marked(shape, () => -1);
  const whole = own.find((each) => sameShape(each.shape, shape) && each.data.some((mark) => mark >= 0));
  if (!whole) return refuse(`${op.name} changes its shape`);
  for (const param of op.operands.filter((operand) => graph.weightKey(operand) !== undefined)) {
    const extents = shapeOf(graph.plain.module, param);
    const flat = extents.every((extent, axis) => extent === 1 || axis === extents.length - 1);
    const columns = flat && extents.at(-1) === shape.at(-1) ? lastAxis(whole) : undefined;
    if (columns) met.push({ param, axis: extents.length - 1, marks: columns });
    else tables.push({ extents, whole });
  }
  return whole;
}

/** A stored tensor beside projected values that is no bias of columns: positions, or a gain within heads. */
interface Table {
  readonly extents: readonly number[];
  readonly whole: Marks;
}

/** Whether a table has the same numbers for all heads: none of its axes leads from one head to another. */
function isShared({ extents, whole }: Table, headOf: ReadonlyMap<number, number>): boolean {
  const { shape, data } = whole;
  return extents.every((extent, place) => {
    const axis = shape.length - extents.length + place;
    const step = shape.slice(axis + 1).reduce((size, each) => size * each, 1);
    const first = (at: number): number => at - (Math.floor(at / step) % shape[axis]!) * step;
    return extent === 1 || data.every((mark, at) => headOf.get(mark) === headOf.get(data[first(at)]!));
  });
}

/** Marks along the last axis, where they are the same in every row. */
function lastAxis({ shape, data }: Marks): readonly number[] | undefined {
  const width = shape.at(-1)!;
  const first = [...data.subarray(0, width)];
  return data.every((mark, at) => mark === first[at % width]) ? first : undefined;
}

function columnsOf(graph: Graph, id: ValueId): Marks {
  const shape = shapeOf(graph.plain.module, id);
  return marked(shape, (index) => index.at(-1)!);
}

function marked(shape: readonly number[], mark: (index: readonly number[]) => number): Marks {
  const data = new Float64Array(shape.reduce((size, extent) => size * extent, 1));
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

/** Which head each mark came to. */
function headsByMark({ shape, data }: Marks, heads: number, turned: boolean): ReadonlyMap<number, number> {
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

/** The blocks in the file's own layout; a matrix may be stored turned. */
function blocksOf(
  graph: Graph,
  param: ValueId,
  axis: number,
  headOf: readonly (number | undefined)[],
  heads: number,
): HeadBlocks {
  const { stored, catalog } = graph.plain;
  const { weight, views } = stored.get(graph.weightKey(param)!)!;
  const source = [...catalog.weights.values()].find(({ name }) => name === weight)!.source;
  if (!graph.model.graph.initializers.has(source.name)) refuse(`the weight ${weight} is no initializer`);
  const turns = views.filter(({ op }) => op === "transpose").length;
  const flat = source.dims.filter((extent) => extent > 1).length < 2;
  if (views.length > turns && !flat) refuse(`the weight ${weight} is reshaped before it is used`);
  const readers = graph.model.graph.nodes.filter(({ inputs }) => inputs.includes(source.name));
  if (readers.length > 1) refuse(`the weight ${weight} is used in ${readers.length} places`);
  const own = flat ? source.dims.findIndex((extent) => extent > 1) : turns % 2 === 1 ? 1 - axis : axis;
  const blocks = Array.from({ length: heads }, (): number[] => []);
  headOf.forEach((head, index) => {
    if (head !== undefined) blocks[head]!.push(index);
  });
  return { tensor: source.name, axis: Math.max(own, 0), blocks };
}
