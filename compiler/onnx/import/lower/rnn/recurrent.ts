import { scalar } from "../../../../../ir/tensor.ts";
import { i64 } from "../../../../../ir/type.ts";
import {
  boundedList,
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type Lowering,
  type LowerTable,
  refuseNode,
  stringAttr,
} from "../../graph/index.ts";
import { sliceAxes } from "../tensor/layout.ts";
import { type Cell, type CellDirection, type CellState, cells } from "./recurrent-cells.ts";

/** x[at] along the first axis, which is removed; an axis of size 1 is only reshaped, so that a weight stays one. */
function sliceFirstAxis({ emit, shape }: LowerContext, x: GraphOperand, at: number): GraphOperand {
  const [size] = shape(x);
  const part = size === 1 ? x : sliceAxes({ emit, shape }, x, new Map([[0, { start: at, end: at + 1, step: 1 }]]));
  return emit("reshape", [part], { shape: shape(x).slice(1) });
}

interface RnnSequence {
  /** Every step's output, in time order. */
  readonly outputs: readonly GraphOperand[];
  readonly last: CellState;
}

/** For sequences shorter than the longest: after their end the state stays constant, and outputs are 0. */
function isActiveStep(context: LowerContext, step: number): GraphOperand | undefined {
  const { emit, shape, constant } = context;
  const lengths = context.inputs[4];
  if (!lengths || (lengths.kind === "constant" && lengths.tensor.data.every((each) => each > step))) return undefined;
  const column = emit("reshape", [lengths], { shape: [shape(lengths)[0]!, 1] });
  return emit("compare", [column, constant(scalar(step), i64)], { kind: "greater" });
}

function runSteps(
  context: LowerContext,
  cell: Cell,
  direction: CellDirection,
  steps: readonly GraphOperand[],
): RnnSequence {
  const { emit, constant } = context;
  const advance = cell(context, direction);
  const order = direction.backwards ? [...steps.keys()].reverse() : [...steps.keys()];
  const outputs: GraphOperand[] = [];
  let state = direction.initial;
  for (const step of order) {
    const next = advance(steps[step]!, state);
    const lives = isActiveStep(context, step);
    const before = state;
    state = lives ? next.map((value, index) => emit("where", [lives, value, before[index]!])) : next;
    const zero = { ...constant(scalar(0), context.element(state[0]!)) };
    outputs[step] = lives ? emit("where", [lives, state[0]!, zero]) : state[0]!;
  }
  return { outputs, last: state };
}

/** W, R and B of one direction, and its initial state. */
function directionOf(context: LowerContext, at: number, states: number): CellDirection {
  const { emit, shape, inputs, constant } = context;
  const of = (index: number): GraphOperand | undefined => inputs[index] && sliceFirstAxis(context, inputs[index]!, at);
  const x = inputOf(context, 0, "X");
  const batch = shape(x)[isBatchFirst(context) ? 0 : 1]!;
  const hidden = shape(inputOf(context, 2, "R"))[2]!;
  const zero = (): GraphOperand =>
    emit("expand", [constant(scalar(0), context.element(x))], { shape: [batch, hidden] });
  const first = (index: number): GraphOperand => {
    const given = inputs[index];
    if (!given) return zero();
    return sliceFirstAxis(context, isBatchFirst(context) ? emit("transpose", [given], { perm: [1, 0, 2] }) : given, at);
  };
  const way = stringAttr(context, "direction", "forward");
  return {
    w: of(1) ?? refuseNode("expected W"),
    r: of(2) ?? refuseNode("expected R"),
    b: of(3),
    p: of(7),
    hidden,
    at,
    backwards: way === "reverse" || at === 1,
    initial: [5, 6].slice(0, states).map(first),
  };
}

const isBatchFirst = (context: LowerContext): boolean => intAttr(context, "layout", 0) !== 0;
const directionCounts = new Map([
  ["forward", 1],
  ["reverse", 1],
  ["bidirectional", 2],
]);

/** Unrolled: a program has one length, as its sequences do. Y [S, D, B, H], then the last states [D, B, H]. */
const recurrent =
  (cell: Cell, states: number): Lowering =>
  (context) => {
    const { emit, shape } = context;
    const way = stringAttr(context, "direction", "forward");
    const count = directionCounts.get(way) ?? refuseNode(`the direction ${way}`);
    const given = inputOf(context, 0, "X");
    const x = isBatchFirst(context) ? emit("transpose", [given], { perm: [1, 0, 2] }) : given;
    const [length] = shape(x) as [number];
    if (length === 0) refuseNode("a sequence of length 0");
    const steps = boundedList(length, (at) => sliceFirstAxis(context, x, at));
    const sequences = Array.from({ length: count }, (_, at) =>
      runSteps(context, cell, directionOf(context, at, states), steps),
    );
    const stack = (parts: readonly GraphOperand[]): GraphOperand => {
      const apart = parts.map((part) => emit("reshape", [part], { shape: [1, ...shape(part)] }));
      return emit("concat", apart, { axis: 0 });
    };
    const y = stack(steps.map((_, step) => stack(sequences.map(({ outputs }) => outputs[step]!))));
    const last = Array.from({ length: states }, (_, index) => stack(sequences.map((each) => each.last[index]!)));
    if (!isBatchFirst(context)) return [y, ...last];
    return [
      emit("transpose", [y], { perm: [2, 0, 1, 3] }),
      ...last.map((state) => emit("transpose", [state], { perm: [1, 0, 2] })),
    ];
  };

export const recurrentLowerings: LowerTable = {
  RNN: recurrent(cells.rnn, 1),
  GRU: recurrent(cells.gru, 1),
  LSTM: recurrent(cells.lstm, 2),
};
