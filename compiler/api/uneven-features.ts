import type { ReferenceRun } from "../compile/index.ts";

/** A column of an input that reaches much farther than another. */
export interface UnevenFeature {
  readonly input: string;
  readonly feature: number;
  readonly largest: number;
  /** Largest magnitude of the smallest column that is not 0 throughout. */
  readonly least: number;
}

/** Factor between magnitudes of features from which on weights for both do not fit one scale. */
const uneven = 2 ** 8;

/** The features of inputs that dwarf others of the same input, on calibration samples. */
export function unevenFeatures(runs: readonly ReferenceRun[]): readonly UnevenFeature[] {
  const names = [...(runs[0]?.inputs.keys() ?? [])];
  return names.flatMap((input) => {
    const tensors = runs
      .flatMap(({ inputs }) => inputs.get(input) ?? [])
      .filter(({ dtype }) => dtype.startsWith("float"));
    const columns = tensors[0]?.tensor.shape.at(-1) ?? 0;
    const magnitudes = new Float64Array(columns);
    for (const { tensor } of tensors)
      tensor.data.forEach((x, k) => {
        magnitudes[k % columns] = Math.max(magnitudes[k % columns]!, Math.abs(x));
      });
    const least = magnitudes.filter((x) => x > 0).reduce((a, b) => Math.min(a, b), Infinity);
    return [...magnitudes.entries()]
      .filter(([, largest]) => largest >= uneven * least)
      .map(([feature, largest]) => ({ input, feature, largest, least }));
  });
}
