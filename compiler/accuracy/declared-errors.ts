import { DiagnosticError } from "../../ir/diagnostic.ts";
import { interpret } from "../../ir/interpret.ts";
import { type Module, typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor, WeightStore } from "../../ir/tensor.ts";
import { isBit, isFixed, sizeOf } from "../../ir/type.ts";
import { errorBounds } from "./error-bound.ts";

/** How far an output may be from the model in real numbers. */
export interface DeclaredError {
  readonly declared: number;
  /** Largest magnitude of the value on the same inputs. */
  readonly largest: number;
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
export function declaredErrors(
  module: Module,
  { weights, inputs, untrained }: PublicRuns,
): ReadonlyMap<ValueId, DeclaredError> {
  // What stays shared keeps its fixed point; integers have no fractional bits.
  const isReal = (id: ValueId): boolean => {
    const { element } = typeOf(module, id);
    return element.kind === "f32" || (isFixed(element) && !isBit(element) && element.scale > 0);
  };
  const elements = Object.values(module.values).reduce((sum, { type }) => sum + sizeOf(type.shape), 0);
  const found = new Map<ValueId, DeclaredError>();
  try {
    for (const run of inputs.slice(0, elements <= smallModule ? fewRuns : 1)) {
      const bounds = errorBounds(module, weights, run, { magnitudes: "bounds" });
      for (const [id, { data }] of interpret(module, weights, run)) {
        const before = found.get(id) ?? { declared: 0, largest: 0 };
        const declared = Math.max(before.declared, (untrained ? roomForTraining : 1) * bounds.get(id)!);
        if (isReal(id))
          found.set(id, { declared, largest: data.reduce((most, x) => Math.max(most, Math.abs(x)), before.largest) });
      }
    }
  } catch (error) {
    if (error instanceof DiagnosticError) return new Map();
    throw error;
  }
  return new Map(
    [...found].map(([id, { declared, largest }]) => [
      id,
      { declared: twoDigits(declared), largest: twoDigits(largest) },
    ]),
  );
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

/** Rounded up to two significant digits: equal on machines whose functions differ in the last place. */
function twoDigits(x: number): number {
  if (x === 0) return 0;
  const unit = 10 ** (Math.floor(Math.log10(x)) - 1);
  return Number((Math.ceil(x / unit - 1e-9) * unit).toPrecision(2));
}
