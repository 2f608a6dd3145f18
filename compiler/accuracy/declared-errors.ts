import { DiagnosticError } from "../../ir/diagnostic.ts";
import { interpret } from "../../ir/interpret.ts";
import { type Module, typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor, WeightStore } from "../../ir/tensor.ts";
import { isBit, isFixed, sizeOf } from "../../ir/type.ts";
import { createPublication, type PublishedBound } from "../../passes/4-quantize/index.ts";
import { type DeclaredDecision, decisionsOf } from "./declared-decisions.ts";
import { measureErrors } from "./error-bound.ts";
import { twoDigits } from "./two-digits.ts";
import { undecidedElements } from "./undecided.ts";

/** How far an output may be from the model in real numbers. */
export interface DeclaredError {
  readonly declared: number;
  /** Largest magnitude of the value on the same inputs. */
  readonly largest: number;
  /** The error follows from private weights, and the provider publishes it. */
  readonly published?: true;
}

/** What is declared of the outputs to everybody. */
export interface Declared {
  readonly errors: ReadonlyMap<ValueId, DeclaredError>;
  /** Beside the errors: what may go either way. */
  readonly decisions: readonly DeclaredDecision[];
}

export interface PrivateRuns {
  /** Values that a party reads. */
  readonly revealed: readonly ValueId[];
  readonly weights: WeightStore;
  /** What the parties share for public inputs, by input of the module; and the model's outputs for them in float64. */
  readonly inputs: readonly ReadonlyMap<ValueId, Tensor>[];
  readonly exact: readonly ReadonlyMap<ValueId, Tensor>[];
}

export interface PublicRuns {
  /** Public weights in place of private ones. */
  readonly weights: WeightStore;
  /** What the parties share for public inputs, by input of the module. */
  readonly inputs: readonly ReadonlyMap<ValueId, Tensor>[];
  /** Whether some weights have initial values, because no base has them. */
  readonly untrained: boolean;
}

/** Runs of a small module that are looked at, and the number of elements of all its values up to which it is small. */
const fewRuns = 4;
const smallModule = 2 ** 17;

/**
 * Trained weights pass errors on by more than initial ones. On fixtures/cases and 120 random networks without a base,
 * measured errors came to 4.2 times what initial weights declare, with which this leaves a factor of four.
 */
const roomForTraining = 16;

/**
 * The declared error of each output of reals, revealed or left in shares, from public facts alone: scales, protocols, the public bounds of
 * all values, and public weights on public inputs. Empty where a public weight carries a value out of its ring, which
 * bounds that were published of the private ones do not exclude.
 */
export function declaredErrors(module: Module, { weights, inputs, untrained }: PublicRuns): Declared {
  // What stays shared keeps its fixed point; integers have no fractional bits.
  const isReal = (id: ValueId): boolean => {
    const { element } = typeOf(module, id);
    return element.kind === "f32" || (isFixed(element) && !isBit(element) && element.scale > 0);
  };
  const elements = Object.values(module.values).reduce((sum, { type }) => sum + sizeOf(type.shape), 0);
  const room = untrained ? roomForTraining : 1;
  const found = new Map<ValueId, DeclaredError>();
  const near = new Map<ValueId, number>();
  try {
    for (const run of inputs.slice(0, elements <= smallModule ? fewRuns : 1)) {
      const { bounds, distances } = measureErrors(module, weights, run, { magnitudes: "bounds" });
      for (const [id, distance] of distances) near.set(id, Math.max(near.get(id) ?? 0, room * distance));
      for (const [id, { data }] of interpret(module, weights, run)) {
        const before = found.get(id) ?? { declared: 0, largest: 0 };
        const declared = Math.max(before.declared, room * bounds.get(id)!);
        if (isReal(id))
          found.set(id, { declared, largest: data.reduce((most, x) => Math.max(most, Math.abs(x)), before.largest) });
      }
    }
  } catch (error) {
    if (error instanceof DiagnosticError) return { errors: new Map(), decisions: [] };
    throw error;
  }
  const errors = [...found].map(
    ([id, { declared, largest }]) => [id, { declared: twoDigits(declared), largest: twoDigits(largest) }] as const,
  );
  const decisions = decisionsOf(module, weights)
    .map((each) => ({ ...each, distance: twoDigits(near.get(each.value) ?? 0) }))
    .filter(({ distance }) => distance > 0);
  return { errors: new Map(errors), decisions };
}

/** A published error is so many times the one that the interpreter makes on the same inputs. */
const roomForQueries = 4;

/** Bounds nothing: the private weights themselves carry a moved value out of its ring. */
const unbounded = 2 ** 63;

/**
 * The same with private weights, where the provider publishes what follows from them: one power of two for each revealed
 * value of reals, whatever the weights are. `largest` is the public bound of the value.
 */
export function publishedErrors(
  module: Module,
  { revealed, weights, inputs, exact }: PrivateRuns,
): Declared & { readonly published: readonly PublishedBound[] } {
  const { publish, published } = createPublication();
  const [found, near] = [new Map<ValueId, number>(), new Map<ValueId, number>()];
  const raise = (id: ValueId, error: number, of = found): Map<ValueId, number> =>
    of.set(id, Math.max(of.get(id) ?? 0, error));
  const reals = revealed.filter((id) => typeOf(module, id).element.kind === "f32");
  try {
    for (const [at, run] of inputs.slice(0, fewRuns).entries()) {
      const { bounds, distances } = measureErrors(module, weights, run, { magnitudes: "bounds", weightsAre: "own" });
      for (const [id, bound] of bounds) raise(id, bound);
      for (const [id, distance] of distances) raise(id, distance, near);
      const undecided = undecidedElements(module, weights, run, distances);
      for (const [id, { data }] of interpret(module, weights, run)) {
        const wanted = exact[at]?.get(id)?.data;
        // What a decision explains is no error.
        const error = (x: number, k: number): number => Math.abs(x - wanted![k]!) - undecided.get(id)![k]!;
        if (wanted) raise(id, roomForQueries * data.reduce((most, x, k) => Math.max(most, error(x, k)), 0));
      }
    }
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    for (const id of reals) raise(id, unbounded);
  }
  const errors = reals.map((id) => {
    const { lo, hi } = module.values[id]!.range ?? { lo: 0, hi: 0 };
    const declared = publish(id, "error", found.get(id) ?? unbounded);
    return [id, { declared, largest: Math.max(-lo, hi), published: true as const }] as const;
  });
  // Each is published, whether private weights lead any error to it or not.
  const decisions = decisionsOf(module, weights).map((each) => {
    const distance = publish(each.value, "distance", near.get(each.value) ?? unbounded);
    return { ...each, distance, published: true as const };
  });
  return { errors: new Map(errors), decisions, published };
}

/** The section of the manifest, by the name of the tensor: two readers of one tensor have one error. */
export function errorsByTensor(
  outputs: readonly { readonly value: ValueId; readonly tensor: string }[],
  errors: ReadonlyMap<ValueId, DeclaredError>,
): { readonly errors?: readonly ({ readonly tensor: string } & DeclaredError)[] } {
  const known = new Map(
    outputs.flatMap(({ value, tensor }) => {
      const error = errors.get(value);
      return error ? [[tensor, error] as const] : [];
    }),
  );
  return known.size > 0 ? { errors: [...known].map(([tensor, error]) => ({ tensor, ...error })) } : {};
}
