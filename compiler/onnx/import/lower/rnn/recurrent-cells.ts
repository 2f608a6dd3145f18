import {
  constantScalar,
  type GraphOperand,
  intAttr,
  type LowerContext,
  listAttr,
  refuseNode,
  stringsAttr,
} from "../../graph/index.ts";
import { sliceAxes } from "../tensor/layout.ts";

/** Hidden state [B, H], then LSTM's cell state. */
export type CellState = readonly GraphOperand[];

export interface CellDirection {
  /** [G·H, I] and [G·H, H], gates concatenated. */
  readonly w: GraphOperand;
  readonly r: GraphOperand;
  /** [2·G·H]: of W, then of R. */
  readonly b: GraphOperand | undefined;
  /** Peepholes [3·H] of input, output and forget gate. */
  readonly p: GraphOperand | undefined;
  readonly hidden: number;
  /** 0, or 1 for the second of two directions. */
  readonly at: number;
  readonly backwards: boolean;
  readonly initial: CellState;
}

type CellActivation = (x: GraphOperand) => GraphOperand;
/** Prepares what all steps share, and returns the step: x [B, I] and the state to the next state. */
export type Cell = (
  context: LowerContext,
  direction: CellDirection,
) => (x: GraphOperand, state: CellState) => CellState;

const unaryOp =
  (op: string) =>
  ({ emit }: LowerContext): CellActivation =>
  (x) =>
    emit(op, [x]);

/** ONNX names, with the defaults of alpha and beta. */
const activations: Readonly<
  Record<
    string,
    {
      readonly alpha?: number;
      readonly beta?: number;
      readonly f: (context: LowerContext, alpha: number, beta: number) => CellActivation;
    }
  >
> = {
  relu: { f: unaryOp("relu") },
  tanh: { f: unaryOp("tanh") },
  sigmoid: { f: unaryOp("sigmoid") },
  affine: {
    alpha: 1,
    beta: 0,
    f: (context, alpha, beta) => (x) => {
      const { emit } = context;
      return emit("add", [emit("mul", [x, constantScalar(context, alpha)]), constantScalar(context, beta)]);
    },
  },
  scaledtanh: {
    alpha: 1,
    beta: 1,
    f: (context, alpha, beta) => (x) => {
      const { emit } = context;
      return emit("mul", [
        emit("tanh", [emit("mul", [x, constantScalar(context, beta)])]),
        constantScalar(context, alpha),
      ]);
    },
  },
  leakyrelu: {
    alpha: 0.01,
    f: (context, alpha) => (x) => {
      const { emit } = context;
      const low = emit("mul", [emit("relu", [emit("neg", [x])]), constantScalar(context, alpha)]);
      return emit("sub", [emit("relu", [x]), low]);
    },
  },
  hardsigmoid: {
    alpha: 0.2,
    beta: 0.5,
    f: (context, alpha, beta) => (x) => {
      const { emit } = context;
      const line = emit("add", [emit("mul", [x, constantScalar(context, alpha)]), constantScalar(context, beta)]);
      return emit("clip", [line], { lo: 0, hi: 1 });
    },
  },
};

/** The functions of one direction. Lists of alpha and beta have an entry for each function that takes one. */
function activationsOf(
  context: LowerContext,
  { at }: CellDirection,
  absent: readonly string[],
): readonly CellActivation[] {
  const all = stringsAttr(context, "activations") ?? [...absent, ...absent];
  const lists = {
    alpha: [...(listAttr(context, "activation_alpha") ?? [])],
    beta: [...(listAttr(context, "activation_beta") ?? [])],
  };
  const made = all.map((name) => {
    const key = name.toLowerCase();
    const entry = Object.hasOwn(activations, key)
      ? activations[key]!
      : refuseNode(`the activation ${name} in a recurrent operator`);
    const take = (which: "alpha" | "beta"): number =>
      entry[which] === undefined ? 0 : (lists[which].shift() ?? entry[which]);
    return entry.f(context, take("alpha"), take("beta"));
  });
  return made.slice(at * absent.length, (at + 1) * absent.length);
}

interface CellOps {
  readonly add: (a: GraphOperand, b: GraphOperand) => GraphOperand;
  readonly mul: (a: GraphOperand, b: GraphOperand) => GraphOperand;
  /** Elements from·H to to·H of the last axis of [B, G·H], or of a vector. */
  readonly part: (x: GraphOperand, from: number, to?: number) => GraphOperand;
  /** x·Wᵀ (+ b). */
  readonly times: (x: GraphOperand, w: GraphOperand, b?: GraphOperand) => GraphOperand;
  /** Clips a gate's input, where the node says so. */
  readonly clipped: CellActivation;
}

/** A state of zeros. */
const isZero = (operand: GraphOperand): boolean =>
  operand.kind === "constant" && operand.tensor.data.every((x) => x === 0);

/** Sums and products that skip zeros: most states begin as zeros, and zeros have no ring of their own. */
function cellOps(context: LowerContext, { hidden }: CellDirection): CellOps {
  const { emit, shape } = context;
  const zero = constantScalar(context, 0);
  const add: CellOps["add"] = (a, b) => (isZero(a) ? b : isZero(b) ? a : emit("add", [a, b]));
  const bound = intAttr(context, "clip", 0);
  return {
    times: (x, w, b) => {
      const product = isZero(x) ? zero : emit("matmul", [x, emit("transpose", [w], { perm: [1, 0] })]);
      return b ? add(product, b) : product;
    },
    add,
    mul: (a, b) => (isZero(a) || isZero(b) ? zero : emit("mul", [a, b])),
    part: (x, from, to = from + 1) => {
      if (isZero(x)) return zero;
      const last = shape(x).length - 1;
      return sliceAxes(context, x, new Map([[last, { start: from * hidden, end: to * hidden, step: 1 }]]));
    },
    clipped: (x) => (bound > 0 ? emit("clip", [x], { lo: -bound, hi: bound }) : x),
  };
}

/** Both biases, and their sum. */
function splitBiases({ add, part }: CellOps, { b }: CellDirection, gates: number) {
  if (!b) return { own: undefined, inner: undefined, both: undefined };
  const [own, inner] = [part(b, 0, gates), part(b, gates, 2 * gates)];
  return { own, inner, both: add(own, inner) };
}

/** H' = f(x·Wᵀ + H·Rᵀ + b) */
const rnn: Cell = (context, direction) => {
  const parts = cellOps(context, direction);
  const [f] = activationsOf(context, direction, ["Tanh"]) as [CellActivation];
  const { both } = splitBiases(parts, direction, 1);
  return (x, [h]) => [f(parts.clipped(parts.add(parts.times(x, direction.w, both), parts.times(h!, direction.r))))];
};

/** Gates z, r, h: H' = h̃ + z ∘ (H − h̃); the reset gate acts on H, or with linear_before_reset on H·Rᵀ. */
const gru: Cell = (context, direction) => {
  const { emit, shape } = context;
  const parts = cellOps(context, direction);
  const { add, mul, part, times, clipped } = parts;
  const [f, g] = activationsOf(context, direction, ["Sigmoid", "Tanh"]) as [CellActivation, CellActivation];
  const { own, inner, both } = splitBiases(parts, direction, 3);
  const linear = intAttr(context, "linear_before_reset", 0) !== 0;
  const rows = (from: number, to: number): GraphOperand =>
    sliceAxes(
      context,
      direction.r,
      new Map([[0, { start: from * direction.hidden, end: to * direction.hidden, step: 1 }]]),
    );
  if (shape(direction.r)[0] !== 3 * direction.hidden) refuseNode("expected R of three gates");
  const mixed = (z: GraphOperand, candidate: GraphOperand, h: GraphOperand): CellState => [
    add(candidate, mul(z, emit("sub", [h, candidate]))),
  ];
  if (linear) {
    return (x, [h]) => {
      const [fromX, fromH] = [times(x, direction.w, own), times(h!, direction.r, inner)];
      const gates = f(clipped(add(part(fromX, 0, 2), part(fromH, 0, 2))));
      const candidate = g(clipped(add(part(fromX, 2), mul(part(gates, 1), part(fromH, 2)))));
      return mixed(part(gates, 0), candidate, h!);
    };
  }
  return (x, [h]) => {
    const fromX = times(x, direction.w, both);
    const gates = f(clipped(add(part(fromX, 0, 2), times(h!, rows(0, 2)))));
    const candidate = g(clipped(add(part(fromX, 2), times(mul(part(gates, 1), h!), rows(2, 3)))));
    return mixed(part(gates, 0), candidate, h!);
  };
};

/** Gates i, o, f, c: C' = f ∘ C + i ∘ c̃, H' = o ∘ h(C'); peepholes feed C to the gates. */
const lstm: Cell = (context, direction) => {
  const { emit } = context;
  const parts = cellOps(context, direction);
  const { add, mul, part, times, clipped } = parts;
  const [f, g, h] = activationsOf(context, direction, ["Sigmoid", "Tanh", "Tanh"]) as [
    CellActivation,
    CellActivation,
    CellActivation,
  ];
  const { both } = splitBiases(parts, direction, 4);
  const { p } = direction;
  const peeped = (gate: GraphOperand, index: number, cell: GraphOperand): GraphOperand =>
    p ? add(gate, mul(part(p, index), cell)) : gate;
  const coupled = intAttr(context, "input_forget", 0) !== 0;
  const gatesOf = (sums: GraphOperand, before: GraphOperand): readonly [GraphOperand, GraphOperand] => {
    const input = f(clipped(peeped(part(sums, 0), 0, before)));
    const forget = coupled
      ? emit("sub", [constantScalar(context, 1), input])
      : f(clipped(peeped(part(sums, 2), 2, before)));
    return [input, forget];
  };
  // Without peepholes the three gates are one activation of three times the width.
  const joint = (sums: GraphOperand): readonly [GraphOperand, GraphOperand, GraphOperand] => {
    const gates = f(clipped(part(sums, 0, 3)));
    return [part(gates, 0), part(gates, 1), part(gates, 2)];
  };
  return (x, [hidden, before]) => {
    const sums = add(times(x, direction.w, both), times(hidden!, direction.r));
    const simple = !p && !coupled ? joint(sums) : undefined;
    const [input, forget] = simple ? [simple[0], simple[2]] : gatesOf(sums, before!);
    const cell = add(mul(forget, before!), mul(input, g(clipped(part(sums, 3)))));
    const output = simple ? simple[1] : f(clipped(peeped(part(sums, 1), 1, cell)));
    return [mul(output, h(cell)), cell];
  };
};

export const cells = { rnn, gru, lstm } as const;
