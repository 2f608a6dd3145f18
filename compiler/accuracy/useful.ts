import { interpret } from "../../ir/interpret.ts";
import { type Module, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor, WeightStore } from "../../ir/tensor.ts";
import { sameShape } from "../../ir/type.ts";
import { isDecision } from "./decisions.ts";
import { type OutputBounds, outputBounds } from "./undecided.ts";

/** Part of the largest value that an answer of use may be off. */
export const usefulPart = 2 ** -5;

/** An output below has few bits in absolute terms, whatever its model: it may be one that only its neighbours dwarf. */
export const tinyOutput = 2 ** -9;

/** Elements that depend on a decision within its distance, of so many, and how far the farthest is from the model. */
export interface DecidedElements {
  readonly count: number;
  readonly of: number;
  readonly farthest: number;
}

/** Whether decisions make an output useless: most elements depend on one, and some are far from float64 by it. */
export const areDecidedByErrors = ({ count, of, farthest }: DecidedElements, largest: number): boolean =>
  2 * count > of && farthest > usefulPart * largest && largest >= tinyOutput;

/** One output over all runs. */
export interface JudgedOutput extends DecidedElements {
  readonly largest: number;
  /** Of the elements that depend on a decision, those that are farther from float64 than is declared. */
  readonly otherwise: number;
  /** The largest error that no decision explains, and whether one exceeds what is declared. */
  readonly error: number;
  readonly isBeyond: boolean;
}

/** A program, some inputs, and the model's outputs for them in float64. */
export interface TriedProgram {
  readonly module: Module;
  readonly weights: WeightStore;
  readonly inputs: readonly ReadonlyMap<ValueId, Tensor>[];
  readonly exact: readonly ReadonlyMap<ValueId, Tensor>[];
  /** Whether its answers keep the errors that protocols declare: those of a preset follow another system. */
  readonly declares: boolean;
}

/**
 * Whether the fixed-point program is near enough to the model on these inputs. An element that a decision within its
 * distance moves is right with either outcome.
 */
export const isUseful = (tried: TriedProgram): boolean =>
  isNear(tried, undefined) ||
  (opsOf(tried.module).some(isDecision) && isNear(tried, (run) => outputBounds(tried.module, tried.weights, run)));

/** Whether the program would also pass verification: its errors are within what is declared for these weights. */
export const wouldVerify = (tried: TriedProgram): boolean =>
  tried.declares ? isNear(tried, (run) => outputBounds(tried.module, tried.weights, run)) : isUseful(tried);

type BoundsOfRun = (run: ReadonlyMap<ValueId, Tensor>) => ReadonlyMap<ValueId, OutputBounds>;

function isNear(
  { module, weights, inputs, exact, declares }: TriedProgram,
  boundsOf: BoundsOfRun | undefined,
): boolean {
  const found = judgeOutputs({ module, weights, inputs, exact, declares }, boundsOf);
  return [...found.entries()].every(([id, output]) => {
    const isReal = typeOf(module, id).element.kind === "f32";
    const isFar = isReal && output.error > usefulPart * Math.max(output.largest, tinyOutput);
    return !isFar && !output.isBeyond && !areDecidedByErrors(output, output.largest);
  });
}

/** The outputs beside the model in float64, with the bounds of each run. */
export const judgedOutputs = (tried: TriedProgram): ReadonlyMap<ValueId, JudgedOutput> =>
  judgeOutputs(tried, (run) => outputBounds(tried.module, tried.weights, run));

function judgeOutputs(
  { module, weights, inputs, exact, declares }: TriedProgram,
  boundsOf: BoundsOfRun | undefined,
): ReadonlyMap<ValueId, JudgedOutput> {
  const found = new Map<ValueId, JudgedOutput>();
  for (const [at, run] of inputs.entries()) {
    const bounds = boundsOf?.(run);
    for (const [id, answer] of interpret(module, weights, run)) {
      const wanted = exact[at]?.get(id);
      // The index of the likeliest element stands in place of its row.
      if (!wanted || !sameShape(wanted.shape, answer.shape)) continue;
      const isReal = typeOf(module, id).element.kind === "f32";
      if (!isReal && !bounds) continue;
      const { declared, undecided } = bounds?.get(id) ?? { declared: Infinity, undecided: undefined };
      const bound = isReal ? (declares ? declared : Infinity) : 0;
      found.set(id, worse(found.get(id), judge(answer, wanted, { bound, undecided })));
    }
  }
  return found;
}

/** `bound`: on errors that no decision explains. */
function judge(
  answer: Tensor,
  wanted: Tensor,
  { bound, undecided }: { readonly bound: number; readonly undecided: Float64Array | undefined },
): JudgedOutput {
  const judged = { largest: 0, error: 0, isBeyond: false, count: 0, of: answer.data.length, otherwise: 0, farthest: 0 };
  for (const [k, x] of answer.data.entries()) {
    const either = undecided?.[k] ?? 0;
    const distance = Math.abs(x - wanted.data[k]!);
    const unexplained = Math.max(0, distance - either);
    judged.largest = Math.max(judged.largest, Math.abs(wanted.data[k]!));
    judged.error = Math.max(judged.error, unexplained);
    judged.isBeyond ||= unexplained > bound;
    if (either <= bound) continue;
    judged.count++;
    if (distance <= bound) continue;
    judged.otherwise++;
    judged.farthest = Math.max(judged.farthest, distance);
  }
  return judged;
}

const worse = (known: JudgedOutput | undefined, next: JudgedOutput): JudgedOutput =>
  known
    ? {
        largest: Math.max(known.largest, next.largest),
        error: Math.max(known.error, next.error),
        isBeyond: known.isBeyond || next.isBeyond,
        count: known.count + next.count,
        of: known.of + next.of,
        otherwise: known.otherwise + next.otherwise,
        farthest: Math.max(known.farthest, next.farthest),
      }
    : next;
