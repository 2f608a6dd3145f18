import sortBy from "lodash-es/sortBy.js";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import { type Op, opsOf, type ValueId } from "../../ir/module.ts";
import { hasData } from "../../ir/tensor.ts";
import { fx, type Interval } from "../../ir/type.ts";
import type { PassState } from "../pass.ts";
import type { Calibration } from "./calibration-types.ts";
import type { RunObservation } from "./observe.ts";
import { checkFits, unfitWeights } from "./param-forms.ts";
import { weightBits } from "./precision.ts";

export interface CalibrationCheck {
  readonly calibration: Calibration;
  /** What was measured with the private weights on the calibration inputs. */
  readonly measured: RunObservation;
  /** See `roomForQueries`. */
  readonly room: number;
  /** The preset whose formulas stand for functions. */
  readonly preset?: string | undefined;
}

/**
 * Reports values, and facts about inner values, that leave their public bounds with the private weights on the
 * calibration inputs, or keep less room for queries than was promised. For the provider alone: it shows what would leave
 * its ring, before a client meets it.
 */
export function checkCalibration(
  secure: PassState,
  { calibration, measured, room, preset }: CalibrationCheck,
): readonly Diagnostic[] {
  const heavy = weightsBeyond(secure, calibration.ranges);
  // All other violations follow from these.
  if (heavy.length > 0) return heavy;
  const ops = new Map(opsOf(secure.module).map((op) => [op.result, op]));
  const inputs = new Set(secure.module.inputs);
  const placeOf = (id: ValueId): string => ops.get(id)?.origin || `%${id}`;
  if (measured.undefinedAt !== undefined) return [undefinedValue(measured.undefinedAt, placeOf, preset)];
  const values = [...measured.values].flatMap(([id, found]): Excess[] => {
    const bounds = calibration.ranges.get(id);
    const isWeight = Object.hasOwn(secure.module.params, id);
    // What is revealed is told of the value that it reveals, and what is shared of the input.
    const op = ops.get(id);
    const isTold =
      isWeight || op?.name === "reveal" || (op !== undefined && isTaken(op) && inputs.has(op.operands[0]!));
    if (isTold || !bounds || holds(found, bounds, calibration.proofs.get(id), room)) return [];
    return [{ what: `%${id}`, at: placeOf(id), found, bounds, isInput: inputs.has(id) }];
  });
  const all = [...values, ...factsBeyond(ops, placeOf, { calibration, measured, room })];
  // What has left its bounds comes before what lacks room.
  return sortBy(all, isInside).map((excess) => excessDiagnostic(excess, room));
}

/** Whether the operator gives its operand, as shares. */
const isTaken = ({ name }: Op): boolean => name === "share" || name === "take-over";

/** Whether a range, widened by the room, is within its bounds. An end that is proven needs no room. */
function holds(found: Interval, bounds: Interval, proof: Interval | undefined, room: number): boolean {
  const above = proof && proof.hi <= bounds.hi ? found.hi : away(found.hi, room);
  const below = proof && proof.lo >= bounds.lo ? found.lo : -away(-found.lo, room);
  return below >= bounds.lo - tolerance(bounds.lo) && above <= bounds.hi + tolerance(bounds.hi);
}

/** Moves an upper end outwards by the factor. */
const away = (end: number, room: number): number => (end > 0 ? end * room : end / room);

/** A proven end holds in real numbers; float64 may exceed it by its rounding. */
const tolerance = (end: number): number => 2 ** -40 * Math.abs(end);

/**
 * Facts that planning relies on: bounds of scores take the room once; sums of squares, and sums of exponentials, twice.
 */
function factsBeyond(
  ops: ReadonlyMap<ValueId, Op>,
  placeOf: (id: ValueId) => string,
  { calibration, measured, room }: CalibrationCheck,
): readonly Excess[] {
  return [...calibration.facts].flatMap(([id, facts]): Excess[] => {
    const inner = measured.inner.get(id);
    if (!inner) return [];
    const score = facts.score_bound as number | undefined;
    if (score !== undefined) {
      if (inner.hi * room <= score) return [];
      return [{ what: `scores of %${id}`, at: placeOf(id), found: inner, bounds: { lo: -score, hi: score } }];
    }
    const bounds = { lo: facts.sum_lo as number, hi: facts.sum_hi as number };
    const what = ops.get(id)?.name === "softmax" ? "sums of exponentials" : "sums of squares";
    // A sum of exponentials below its maximum is at least 1 and at most the number of terms: no room beyond that.
    const isProven = ops.get(id)?.name === "softmax";
    const wide = isProven ? inner : { lo: inner.lo / room ** 2, hi: inner.hi * room ** 2 };
    const fits = wide.lo >= bounds.lo - tolerance(bounds.lo) && wide.hi <= bounds.hi + tolerance(bounds.hi);
    return fits ? [] : [{ what: `${what} of %${id}`, at: placeOf(id), found: inner, bounds }];
  });
}

/** The code of a value, or a fact, beyond its public bounds. */
export const beyondBoundsCode = "MRL0505";

/** A range that is not within its bounds, or lacks room there. */
interface Excess {
  readonly what: string;
  readonly at: string;
  readonly found: Interval;
  readonly bounds: Interval;
  /** What a party gives does not depend on private weights. */
  readonly isInput?: boolean;
}

const isInside = ({ found, bounds }: Excess): boolean => found.lo >= bounds.lo && found.hi <= bounds.hi;

function excessDiagnostic(excess: Excess, room: number): Diagnostic {
  const { what, at, found, bounds, isInput = false } = excess;
  const wanted = isInside(excess) ? `room for queries (a factor of ${room})` : "values";
  return {
    code: beyondBoundsCode,
    message: `${what}: expected ${wanted} in the public bounds ${shown(bounds)}, found ${shown(found)} ${isInput ? "on the calibration inputs" : "with the private weights"}`,
    at,
  };
}

const shown = ({ lo, hi }: Interval): string => `[${short(lo)}, ${short(hi)}]`;

const short = (x: number): string => `${Number(x.toPrecision(4))}`;

/** The formulas of a preset hold where their publication needs them: an exponential of a mask of −10000 overflows. */
const undefinedValue = (id: ValueId, placeOf: (id: ValueId) => string, preset?: string): Diagnostic => ({
  code: "MRL0507",
  message: `%${id}: expected numbers with the private weights on the calibration inputs, found NaN`,
  at: placeOf(id),
  ...(preset === undefined
    ? {
        because: ["a quotient by 0, or a norm of equal elements without an epsilon, has no value on shares either"],
        help: "remove the samples for which the model is undefined, or repair the node",
      }
    : {
        because: [`the formulas of --preset ${preset} have no value so far from where they approximate a function`],
        help: "compile with --preset marill, whose functions hold for all values in their bounds; where a mask of padding is the cause, --fix <mask>=1 serves text without padding",
      }),
});

/** Private weights that leave the range that every private weight gets, whatever it holds. */
function weightsBeyond({ module, weights }: PassState, ranges: Calibration["ranges"]): readonly Diagnostic[] {
  const found = Object.entries(module.params).flatMap(([id, name]) => {
    const [value, bounds] = [weights.get(name), ranges.get(id)];
    if (module.values[id]!.type.label !== "server" || !value || !hasData(value) || !bounds) return [];
    return checkFits(name, value, fx(weightBits, weightBits - 1 - Math.log2(bounds.hi))) ?? [];
  });
  return unfitWeights(found);
}
