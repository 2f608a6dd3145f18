import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { scalar } from "../../../../../ir/tensor.ts";
import { bool, i64, sameShape } from "../../../../../ir/type.ts";
import type { OnnxGraph } from "../../../format/index.ts";
import {
  boundedList,
  type GraphOperand,
  graphAttr,
  inputOf,
  intAttr,
  knownInput,
  type LowerContext,
  type LowerTable,
  listAttr,
  listInput,
  refuseNode,
} from "../../graph/index.ts";
import { sliceAxes } from "../tensor/layout.ts";

/** Every iteration is unrolled: a file of a few bytes must not become an endless program. */
const maxIterations = 2 ** 10;

/** Lowers one branch where the condition is known. A secret condition selects between the results of both branches. */
function lowerIf(context: LowerContext): readonly GraphOperand[] {
  const { emit, run, shape } = context;
  const condition = inputOf(context, 0, "cond");
  const branch = (name: string): readonly GraphOperand[] => run(graphAttr(context, name), []);
  if (condition.kind === "constant") return branch(condition.tensor.data[0] === 0 ? "else_branch" : "then_branch");
  const [yes, no] = [branch("then_branch"), branch("else_branch")];
  const single = emit("reshape", [condition], { shape: [] });
  return yes.map((operand, index) => {
    if (!sameShape(shape(operand), shape(no[index]!))) refuseNode("a secret condition that decides shapes");
    return emit("where", [single, operand, no[index]!]);
  });
}

/** Stacks the slices of all iterations along a new axis. */
function stackSlices(
  { emit, shape }: LowerContext,
  slices: readonly GraphOperand[],
  axis: number,
  backwards = false,
): GraphOperand {
  const [first] = slices;
  if (!first) return refuseNode("a loop without iterations that has scan outputs: their shapes are unknown");
  const newAxis = axisOf(axis, shape(first).length + 1);
  const apart = slices.map((slice) => emit("reshape", [slice], { shape: shape(slice).toSpliced(newAxis, 0, 1) }));
  return emit("concat", backwards ? apart.reverse() : apart, { axis: newAxis });
}

/** Iterates while the condition holds. It must be known at compile time: the iteration count is not secret. */
function unrollLoop(context: LowerContext): readonly GraphOperand[] {
  const { constant, run } = context;
  const body = graphAttr(context, "body");
  const limit = knownInput(context, 0, "M")?.data[0] ?? Infinity;
  let goesOn = (knownInput(context, 1, "cond")?.data[0] ?? 1) !== 0;
  let state = context.inputs
    .slice(2)
    .map((operand) => operand ?? refuseNode("expected initial values of the loop-carried values"));
  const slices: GraphOperand[][] = [];
  for (let round = 0; goesOn && round < limit; round++) {
    if (round === maxIterations) refuseNode(`expected at most ${maxIterations} iterations`);
    const [condition, ...results] = run(body, [constant(scalar(round), i64), constant(scalar(1), bool), ...state]);
    if (condition?.kind !== "constant")
      refuseNode("an iteration count that depends on secrets: programs have one length");
    goesOn = condition.kind === "constant" && condition.tensor.data[0] !== 0;
    state = results.slice(0, state.length);
    slices.push(results.slice(state.length));
  }
  const perRound = body.outputs.length - 1 - state.length;
  const scans = Array.from({ length: perRound }, (_, index) =>
    stackSlices(
      context,
      slices.map((round) => round[index]!),
      0,
    ),
  );
  return [...state, ...scans];
}

interface ScanAxes {
  readonly inputAxes: readonly number[];
  readonly outputAxes: readonly number[];
}

/** `inputs` are the initial states, then the scanned sequences. */
function unrollScan(
  context: LowerContext,
  body: OnnxGraph,
  inputs: readonly GraphOperand[],
  { inputAxes, outputAxes }: ScanAxes,
): readonly GraphOperand[] {
  const { emit, shape, run } = context;
  const sequences = inputs.slice(inputs.length - inputAxes.length);
  let state = inputs.slice(0, inputs.length - sequences.length);
  const axes = sequences.map((sequence, index) => axisOf(inputAxes[index]!, shape(sequence).length));
  const rounds = shape(sequences[0] ?? refuseNode("expected at least one scan input"))[axes[0]!]!;
  if (rounds > maxIterations) refuseNode(`expected at most ${maxIterations} iterationsions, found ${rounds}`);
  const backwards = (listAttr(context, "scan_input_directions") ?? listAttr(context, "directions") ?? []).map(Boolean);
  const slices: GraphOperand[][] = [];
  for (let round = 0; round < rounds; round++) {
    const current = sequences.map((sequence, index) => {
      const at = backwards[index] ? rounds - 1 - round : round;
      const part = sliceAxes(context, sequence, new Map([[axes[index]!, { start: at, end: at + 1, step: 1 }]]));
      return emit("reshape", [part], { shape: shape(part).toSpliced(axes[index]!, 1) });
    });
    const results = run(body, [...state, ...current]);
    state = results.slice(0, state.length);
    slices.push(results.slice(state.length));
  }
  const turned = listAttr(context, "scan_output_directions") ?? [];
  const scans = outputAxes.map((axis, index) =>
    stackSlices(
      context,
      slices.map((round) => round[index]!),
      axis,
      Boolean(turned[index]),
    ),
  );
  return [...state, ...scans];
}

function scan(context: LowerContext): readonly GraphOperand[] {
  const body = graphAttr(context, "body");
  const count = intAttr(context, "num_scan_inputs", 1);
  const given = context.inputs.map((operand) => operand);
  const sequenced = context.opset < 9 ? given.slice(1) : given;
  const inputs = sequenced.map((operand) => operand ?? refuseNode("expected all initial values and sequences"));
  const states = inputs.length - count;
  const zeros = (length: number): readonly number[] => boundedList(length, () => 0);
  const axes: ScanAxes = {
    inputAxes: listAttr(context, "scan_input_axes") ?? zeros(count),
    outputAxes: listAttr(context, "scan_output_axes") ?? zeros(body.outputs.length - states),
  };
  return context.opset < 9 ? batchedScan(context, body, inputs, axes) : unrollScan(context, body, inputs, axes);
}

/** Opset 8: the first axis is a batch, whose members are scanned one by one, each to its own length. */
function batchedScan(
  context: LowerContext,
  body: OnnxGraph,
  inputs: readonly GraphOperand[],
  axes: ScanAxes,
): readonly GraphOperand[] {
  const { emit, shape } = context;
  const batch = shape(inputs[0]!)[0]!;
  const lengths = listInput(context, 0, "sequence_lens");
  const [length] = shape(inputs.at(-1)!).slice(1);
  if (lengths?.some((each) => each !== length)) refuseNode("sequences of several lengths in one Scan of opset 8");
  const members = boundedList(batch, (at) => {
    const own = inputs.map((input) => {
      const part = sliceAxes(context, input, new Map([[0, { start: at, end: at + 1, step: 1 }]]));
      return emit("reshape", [part], { shape: shape(part).slice(1) });
    });
    return unrollScan(context, body, own, axes);
  });
  return members[0]!.map((_, index) =>
    stackSlices(
      context,
      members.map((member) => member[index]!),
      0,
    ),
  );
}

/** Operators with nested graphs: unrolled, since programs have no control flow that data could steer. */
export const controlFlowLowerings: LowerTable = { If: lowerIf, Loop: unrollLoop, Scan: scan };
