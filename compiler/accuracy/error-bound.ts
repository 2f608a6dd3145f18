import memoize from "lodash-es/memoize.js";
import { interpret, interpretTogether, toReal } from "../../ir/interpret.ts";
import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { opDef } from "../../ir/registry.ts";
import type { Tensor, WeightStore } from "../../ir/tensor.ts";
import { type Interval, isFixed, sizeOf, type TensorType } from "../../ir/type.ts";
import { usersOf } from "../../ir/uses.ts";
import { type Observation, observe, type RunObservation } from "../../passes/4-quantize/index.ts";
import { specOf } from "../../passes/5-select/index.ts";
import { type Fixed, type Spec, ulpsOf } from "../../runtime/protocols/kit/index.ts";
import { protocols } from "../../runtime/protocols/registry.ts";
import { createFixedStream } from "../tensors/index.ts";
import { holdDecisions } from "./decisions.ts";
import { createLowEnds, withRoom } from "./low-ends.ts";

/** A way to move the values of one run, and the factor on the change that it makes. */
interface Trial {
  /** Whether the results of one operator all move by the same part of its error. */
  readonly together: boolean;
  readonly factor: number;
}

/**
 * Roundings are independent, and an output sums very many of them: three times the largest change is beyond what they
 * do. A series fits its function with one error for equal arguments, which a mean over many elements keeps: these trials
 * move all elements together.
 */
const trials: readonly Trial[] = [
  ...Array.from({ length: 6 }, () => ({ together: false, factor: 3 })),
  ...Array.from({ length: 3 }, () => ({ together: true, factor: 1 })),
];

/**
 * Bounds, to first order, the distance of the revealed outputs of a scheduled module from the model in real numbers. The
 * exact interpreter perturbs every value at random by its declared error (weights and inputs by half a unit of their
 * scale, an op's result by its protocol's ulps, and a steep function of a small operand by that operand's error). The bound is the largest change of an output over several `trials`, each
 * times its factor. It follows from scales, declared errors and depth; no party's result enters it. Decisions fall as they
 * do without errors: where they do not, there is no useful bound (decisions.ts).
 */
export const errorBound = (...given: Parameters<typeof errorBounds>): number =>
  Math.max(0, ...errorBounds(...given).values());

export interface ErrorBoundOptions {
  /** off: for callers that know the error from rounding weights and inputs, and add it. Default: on. */
  readonly rounding?: "on" | "off";
  /**
   * Values that a protocol's error is a part of: as large as in this run (default), or as large as their public bounds
   * allow, for a bound on runs with other weights and inputs.
   */
  readonly magnitudes?: "run" | "bounds";
  /**
   * Whether the private weights are those of the queries. What their scales hold exactly then has no error, as the 0 and 1
   * that select the features of trees; stand-ins tell nothing of the weights that they stand for. Default: stand-ins.
   */
  readonly weightsAre?: "own" | "stand-ins";
}

/** The same bound for each output. */
export const errorBounds = (...given: Parameters<typeof measureErrors>): ReadonlyMap<ValueId, number> =>
  measureErrors(...given).bounds;

export interface MeasuredErrors {
  /** By output. */
  readonly bounds: ReadonlyMap<ValueId, number>;
  /** How far an operator's operands may be from another decision and still come to it, by its result. */
  readonly distances: ReadonlyMap<ValueId, number>;
}

export function measureErrors(
  module: Module,
  weights: WeightStore,
  inputs: ReadonlyMap<ValueId, Tensor>,
  { rounding = "on", magnitudes = "run", weightsAre = "stand-ins" }: ErrorBoundOptions = {},
): MeasuredErrors {
  const lowEnds = createLowEnds(module);
  const decisions = holdDecisions(module);
  const isExact = exactParams(module, weights, weightsAre);
  const exact = interpret(module, weights, inputs, {
    observe: (id, _, raw) => {
      lowEnds.keep(id, raw);
      decisions.keep(id, raw);
    },
  });
  const seen = magnitudes === "run" ? observe({ module, weights }, [inputs]) : undefined;
  const ulps = new Map(opsOf(module).map((op) => [op.result, opUlps(module, op, seen)]));
  const next = createNoise();
  const bounds = new Map<ValueId, number>();
  const disturb = (id: ValueId, raw: Tensor, op: Op | undefined, together: boolean): Tensor => {
    const isMade = op !== undefined && op.name !== "share";
    if (!isMade) return rounding === "on" && !isExact(id) ? moveRounded(raw, typeOf(module, id), next) : raw;
    const move = ulpNoise(ulps.get(id) ?? 0, lowEnds.unitsOf(op, seen));
    if (!move) return raw;
    const shared = together ? Math.sign(next()) * systematicPart : undefined;
    const { lo, hi } = boundsOfIntegers(module, id);
    const data = new Float64Array(raw.data.length);
    for (let i = 0; i < data.length; i++) {
      const moved = move(raw.data[i]!, shared ?? next());
      data[i] = moved >= lo && moved <= hi ? moved : raw.data[i]!;
    }
    return { shape: raw.shape, data };
  };
  const adjusts = trials.map(({ together, factor }) => {
    const hold = decisions.run(factor);
    return (id: ValueId, raw: Tensor, op: Op | undefined): Tensor =>
      hold(id, lowEnds.admit(id, disturb(id, raw, op, together)), op);
  });
  interpretTogether(withRoom(module), weights, inputs, adjusts).forEach((moved, trial) => {
    const { factor } = trials[trial]!;
    for (const [id, { data }] of exact) {
      // What stays shared is in integers.
      const other = toReal(moved.get(id)!, typeOf(module, id).element).data;
      let most = bounds.get(id) ?? 0;
      for (let at = 0; at < data.length; at++) most = Math.max(most, factor * Math.abs(data[at]! - other[at]!));
      bounds.set(id, most);
    }
  });
  return { bounds, distances: decisions.distances };
}

/** Part of a declared error that may have one sign for all elements: the rest is rounding. */
const systematicPart = 0.5;

type Perturbation = (x: number, noise: number) => number;

/** `atLowEnd`: what an operand moves a result by in the worst case, which no random share of it stands for. */
const ulpNoise = (most: number, atLowEnd: number): Perturbation | undefined =>
  most + atLowEnd === 0 ? undefined : (x, noise) => Math.round(x + most * noise + atLowEnd * Math.sign(noise));

/** Share of values that rounding moves. */
const movedPart = 1 / 12;

/**
 * Moves one value of twelve by a unit, and on average one where there are fewer. Twelfths have the variance of a rounding
 * error; the error itself is a fraction of a unit, and would be rounded away again. Integers and truth values are exact.
 */
function moveRounded(raw: Tensor, { element, shape }: TensorType, next: () => number): Tensor {
  if (!isFixed(element) || element.scale === 0) return raw;
  const part = Math.max(movedPart, Math.min(1, 1 / sizeOf(shape)));
  const data = raw.data.slice();
  // How many stay between two that move has a geometric distribution: most elements need no number of their own.
  const kept = (): number =>
    part === 1 ? 0 : Math.floor(Math.log((1 + next()) / 2 || Number.MIN_VALUE) / Math.log(1 - part));
  for (let i = kept(); i < data.length; i += 1 + kept()) data[i] = data[i]! + Math.sign(next());
  return { shape: raw.shape, data };
}

/**
 * Params that rounding does not move: scalars that multiply, which have a scale that makes them exact or nearly exact,
 * and known numbers that their scale holds. Few fractional bits alone say nothing: bits by hand may be as few.
 */
function exactParams(module: Module, weights: WeightStore, weightsAre: "own" | "stand-ins"): (id: ValueId) => boolean {
  const users = usersOf(opsOf(module));
  const multiplies = (id: ValueId): boolean => (users.get(id) ?? []).every(({ name }) => opDef(name).linear === "each");
  return memoize((id: ValueId) => {
    const { element, shape, label } = typeOf(module, id);
    const name = module.params[id];
    if (name === undefined || !isFixed(element)) return false;
    if (sizeOf(shape) === 1 && multiplies(id)) return true;
    // Of the private weights only whole numbers, as select features: others stand for weights of their kind.
    const unit = label === "public" ? 2 ** element.scale : 1;
    const data = label === "public" || weightsAre === "own" ? weights.get(name)?.data : undefined;
    return data?.every((x) => Number.isInteger(x * unit)) === true;
  });
}

/** Bounds of a value without fractional bits: a truth value stays one. */
function boundsOfIntegers({ values }: Module, id: ValueId): Interval {
  const { range, type } = values[id]!;
  return range && isFixed(type.element) && type.element.scale === 0 ? range : { lo: -Infinity, hi: Infinity };
}

/** A truncation that equals the interpreter's still drops a part of a unit of the real number. */
const truncationUlps = 1;

function opUlps(module: Module, op: Op, seen: RunObservation | undefined): number {
  const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
  if (!protocol || op.name === "share") return 0;
  const spec = specOf(module, op);
  const ulps = ulpsOf(protocol, spec, seen && seenSpec(spec, op, seen));
  return op.name === "truncate" ? Math.max(ulps, truncationUlps) : ulps;
}

/** The spec with the bounds that its values keep in the runs that were observed. */
export function seenSpec(spec: Spec, op: Pick<Op, "operands" | "result">, { values, inner }: Observation): Spec {
  const within = (fixed: Fixed, id: ValueId): Fixed => ({ ...fixed, ...values.get(id) });
  const sums = inner.get(op.result);
  return {
    operands: spec.operands.map((fixed, k) => within(fixed, op.operands[k]!)),
    result: within(spec.result, op.result),
    attrs: { ...spec.attrs, ...(sums && "sum_lo" in spec.attrs && { sum_lo: sums.lo, sum_hi: sums.hi }) },
  };
}

/** Uniform in [−1, 1), equal in every run: for estimates, not for secrets. */
export function createNoise(): () => number {
  const next = createFixedStream();
  return () => 2 * next() - 1;
}
