import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { bool, i64, sameShape } from "../../../../../ir/type.ts";
import { scalar } from "../../../../../ir/weights.ts";
import type { OnnxGraph } from "../../../format/index.ts";
import type { Operand } from "../../graph/index.ts";
import {
  graphAttr,
  inputOf,
  intAttr,
  knownInput,
  type LowerContext,
  type LowerTable,
  listAttr,
  listInput,
  listOf,
  refuse,
} from "../../graph/index.ts";
import { sliceAxes } from "../tensor/shapes.ts";

/** Every round is written out: a file of a few bytes must not become a program without end. */
const maxRounds = 2 ** 10;

/** One branch where the condition is known. A secret one chooses between the results of both, which are computed. */
function conditional(context: LowerContext): readonly Operand[] {
  const { emit, run, shape } = context;
  const condition = inputOf(context, 0, "cond");
  const branch = (name: string): readonly Operand[] => run(graphAttr(context, name), []);
  if (condition.kind === "constant") return branch(condition.tensor.data[0] === 0 ? "else_branch" : "then_branch");
  const [yes, no] = [branch("then_branch"), branch("else_branch")];
  const single = emit("reshape", [condition], { shape: [] });
  return yes.map((operand, place) => {
    if (!sameShape(shape(operand), shape(no[place]!))) refuse("a secret condition that decides shapes");
    return emit("where", [single, operand, no[place]!]);
  });
}

/** Slices of the rounds as one tensor, along a new axis. */
function stacked({ emit, shape }: LowerContext, slices: readonly Operand[], axis: number, backwards = false): Operand {
  const [first] = slices;
  if (!first) return refuse("a loop of no rounds with outputs of each round: their shapes are not known");
  const place = axisOf(axis, shape(first).length + 1);
  const apart = slices.map((slice) => emit("reshape", [slice], { shape: shape(slice).toSpliced(place, 0, 1) }));
  return emit("concat", backwards ? apart.reverse() : apart, { axis: place });
}

/** Rounds as long as the condition holds, which must be known when the model is compiled: their number is no secret. */
function loop(context: LowerContext): readonly Operand[] {
  const { constant, run } = context;
  const body = graphAttr(context, "body");
  const limit = knownInput(context, 0, "M")?.data[0] ?? Infinity;
  let goesOn = (knownInput(context, 1, "cond")?.data[0] ?? 1) !== 0;
  let state = context.inputs.slice(2).map((operand) => operand ?? refuse("expected initial values of what is carried"));
  const slices: Operand[][] = [];
  for (let round = 0; goesOn && round < limit; round++) {
    if (round === maxRounds) refuse(`expected at most ${maxRounds} rounds`);
    const [condition, ...results] = run(body, [constant(scalar(round), i64), constant(scalar(1), bool), ...state]);
    if (condition?.kind !== "constant")
      refuse("a number of rounds that depends on secrets: programs are of one length");
    goesOn = condition.kind === "constant" && condition.tensor.data[0] !== 0;
    state = results.slice(0, state.length);
    slices.push(results.slice(state.length));
  }
  const perRound = body.outputs.length - 1 - state.length;
  const scans = Array.from({ length: perRound }, (_, place) =>
    stacked(
      context,
      slices.map((round) => round[place]!),
      0,
    ),
  );
  return [...state, ...scans];
}

interface ScanAxes {
  readonly inputAxes: readonly number[];
  readonly outputAxes: readonly number[];
}

/** `inputs` are the initial states, then what is gone through. */
function scanned(
  context: LowerContext,
  body: OnnxGraph,
  inputs: readonly Operand[],
  { inputAxes, outputAxes }: ScanAxes,
): readonly Operand[] {
  const { emit, shape, run } = context;
  const sequences = inputs.slice(inputs.length - inputAxes.length);
  let state = inputs.slice(0, inputs.length - sequences.length);
  const axes = sequences.map((sequence, place) => axisOf(inputAxes[place]!, shape(sequence).length));
  const rounds = shape(sequences[0] ?? refuse("expected something to go through"))[axes[0]!]!;
  if (rounds > maxRounds) refuse(`expected at most ${maxRounds} rounds, found ${rounds}`);
  const backwards = (listAttr(context, "scan_input_directions") ?? listAttr(context, "directions") ?? []).map(Boolean);
  const slices: Operand[][] = [];
  for (let round = 0; round < rounds; round++) {
    const current = sequences.map((sequence, place) => {
      const at = backwards[place] ? rounds - 1 - round : round;
      const part = sliceAxes(context, sequence, new Map([[axes[place]!, { start: at, end: at + 1, step: 1 }]]));
      return emit("reshape", [part], { shape: shape(part).toSpliced(axes[place]!, 1) });
    });
    const results = run(body, [...state, ...current]);
    state = results.slice(0, state.length);
    slices.push(results.slice(state.length));
  }
  const turned = listAttr(context, "scan_output_directions") ?? [];
  const scans = outputAxes.map((axis, place) =>
    stacked(
      context,
      slices.map((round) => round[place]!),
      axis,
      Boolean(turned[place]),
    ),
  );
  return [...state, ...scans];
}

function scan(context: LowerContext): readonly Operand[] {
  const body = graphAttr(context, "body");
  const count = intAttr(context, "num_scan_inputs", 1);
  const given = context.inputs.map((operand) => operand);
  const sequenced = context.opset < 9 ? given.slice(1) : given;
  const inputs = sequenced.map((operand) => operand ?? refuse("expected all initial values and sequences"));
  const states = inputs.length - count;
  const zeros = (length: number): readonly number[] => listOf(length, () => 0);
  const axes: ScanAxes = {
    inputAxes: listAttr(context, "scan_input_axes") ?? zeros(count),
    outputAxes: listAttr(context, "scan_output_axes") ?? zeros(body.outputs.length - states),
  };
  return context.opset < 9 ? batched(context, body, inputs, axes) : scanned(context, body, inputs, axes);
}

/** Opset 8: the first axis is a batch, whose members are gone through one by one, each to its own length. */
function batched(
  context: LowerContext,
  body: OnnxGraph,
  inputs: readonly Operand[],
  axes: ScanAxes,
): readonly Operand[] {
  const { emit, shape } = context;
  const batch = shape(inputs[0]!)[0]!;
  const lengths = listInput(context, 0, "sequence_lens");
  const [length] = shape(inputs.at(-1)!).slice(1);
  if (lengths?.some((each) => each !== length)) refuse("sequences of several lengths in one Scan of opset 8");
  const members = listOf(batch, (at) => {
    const own = inputs.map((input) => {
      const part = sliceAxes(context, input, new Map([[0, { start: at, end: at + 1, step: 1 }]]));
      return emit("reshape", [part], { shape: shape(part).slice(1) });
    });
    return scanned(context, body, own, axes);
  });
  return members[0]!.map((_, place) =>
    stacked(
      context,
      members.map((member) => member[place]!),
      0,
    ),
  );
}

/** Operators with graphs inside: written out, since programs have no control flow that data could steer. */
export const controlLowerings: LowerTable = { If: conditional, Loop: loop, Scan: scan };
