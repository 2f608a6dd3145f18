import sortBy from "lodash-es/sortBy.js";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import { type Module, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { isFixed } from "../../ir/type.ts";
import { usersOf } from "../../ir/uses.ts";
import type { Calibration } from "./calibration-types.ts";
import { comparedValues } from "./compared-values.ts";

/** The code of comparisons that are coarser than what they compare. */
export const tooCoarseCode = "MRL0510";

/** The smallest feature keeps so many bits: one comparison of a hundred or so is nearer to its threshold than a unit. */
const fewestBits = 7;

/**
 * Refuses comparisons that are too coarse for what they compare: features of trees that a few units of fixed point tell
 * apart, or tables of private thresholds that are as coarse. Scales and sizes of features are public.
 */
export function checkResolution(before: Module, module: Module, { sizes }: Calibration): readonly Diagnostic[] {
  if (!sizes || sizes.size === 0) return [];
  const { decides, thresholds, inputsOf } = comparedValues(before);
  const users = usersOf(opsOf(module));
  const coarseness = (id: ValueId, size: number | undefined, what: string): readonly Coarse[] => {
    const { element } = typeOf(module, id);
    // Integers are exact.
    if (size === undefined || !isFixed(element) || element.scale === 0) return [];
    const units = size * 2 ** element.scale;
    return units < 2 ** fewestBits ? [{ what, size, units, scale: element.scale }] : [];
  };
  const ofInputs = module.inputs
    .filter(decides)
    .flatMap((id) =>
      (users.get(id) ?? []).flatMap(({ name, result }) =>
        name === "share" ? coarseness(result, sizes.get(id), `%${id}`) : [],
      ),
    );
  const ofTables = Object.entries(module.params).flatMap(([param, name]) => {
    const known = (thresholds.get(param) ?? []).flatMap(inputsOf).flatMap((input) => sizes.get(input) ?? []);
    return known.length > 0 ? coarseness(param, Math.min(...known), `weight "${name}"`) : [];
  });
  const [worst, ...others] = sortBy([...ofInputs, ...ofTables], ({ units }) => units);
  if (!worst) return [];
  const shown = ({ what, units, scale }: Coarse): string => `${what}: found ${units.toPrecision(2)} of 2^-${scale}`;
  return [
    {
      code: tooCoarseCode,
      message: `${worst.what}: expected at least ${2 ** fewestBits} units within the smallest feature that is compared, found ${worst.units.toPrecision(2)} of 2^-${worst.scale}`,
      at: worst.what,
      because: [
        `the elements of that feature are ${worst.size.toPrecision(2)} apart on the calibration inputs`,
        ...others.map(shown),
      ],
      help: "bring the features of the model to one size, and its thresholds with them",
    },
  ];
}

/** A value or a table of thresholds, and how many units of its scale lie within the smallest feature. */
interface Coarse {
  readonly what: string;
  readonly size: number;
  readonly units: number;
  readonly scale: number;
}
