import { fail } from "../../ir/diagnostic.ts";
import type { WeightStore } from "../../ir/tensor.ts";
import { print } from "../../ir/text/print.ts";
import type { ProgramPlan } from "../../targets/program/plan.ts";
import { packWeights } from "../build/index.ts";
import type { LoadedModel, ResolvedOptions } from "../load/index.ts";
import type { Sample } from "./calibration-samples.ts";
import { measureRanges } from "./measure-ranges.ts";
import { type SecurePart, splitSecurePart } from "./split-secure-part.ts";

/**
 * The private weights of one program with each adapter that the server may choose. All adapters have one shape, so the
 * program, its ranges and everything that another party sees are the same: this checks it for each.
 * @throws DiagnosticError for an adapter whose values leave the bounds, as for a single one
 */
export function adapterWeights(
  loaded: LoadedModel,
  first: SecurePart,
  samples: readonly Sample[],
  options: ResolvedOptions,
): ReadonlyMap<string, WeightStore> {
  const { choices } = loaded;
  if (!choices) return new Map();
  const bounds = JSON.stringify([...measureRanges(loaded, first, samples, options).calibration.ranges]);
  return new Map(
    [...choices].map(([name, weights]) => {
      const chosen = { ...loaded, imported: { ...loaded.imported, weights } };
      const secure = splitSecurePart(chosen, options);
      if (print(secure.private.module) !== print(first.private.module))
        throw new Error(`a rewrite depends on the numbers of an adapter: ${name} gives another module`);
      const { calibration } = measureRanges(chosen, secure, samples, options);
      if (JSON.stringify([...calibration.ranges]) !== bounds) differentBounds(name);
      return [name, secure.private.weights];
    }),
  );
}

/** Bounds are public, so they must not depend on the adapter. */
const differentBounds = (name: string): never =>
  fail({
    code: "MRL0435",
    message: `the public bounds with the adapter ${name} differ from those of the first: they would tell which one is used`,
    help: "calibrate on public inputs without publishing ranges of private weights, or make a build for each adapter",
  });

/** The file with the private weights of a choice, beside those of the first in weights.safetensors. */
export const choiceFile = (name: string): string => `adapter-${name}.safetensors`;

/** The files of the server's folder, one for each choice: the integers of all private weights of the program. */
export function choiceFiles(
  { weights }: ProgramPlan,
  choices: ReadonlyMap<string, WeightStore>,
): ReadonlyMap<string, Uint8Array> {
  const isPrivate = ({ form }: ProgramPlan["weights"][string]): boolean => form !== "public" && form !== "disclosed";
  const declared = Object.fromEntries(Object.entries(weights).filter(([, decl]) => isPrivate(decl)));
  return new Map(
    [...choices].map(([name, store]) => [choiceFile(name), packWeights({ weights: declared }, store, "server")]),
  );
}
