import { fail } from "../../ir/diagnostic.ts";
import { removeDead } from "../../ir/edit.ts";
import { interpret } from "../../ir/interpret.ts";
import { type Module, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { usersOf } from "../../ir/uses.ts";
import type { LoadedModel, ResolvedOptions } from "../load/index.ts";
import type { FeatureExponents } from "../onnx/normalize/index.ts";
import type { Sample } from "./calibration-samples.ts";

/**
 * For each tensor that the client computes alone and that meets nothing but private matrices: the exponents of the
 * powers of two above its features on the calibration inputs. They follow from public numbers.
 * @throws DiagnosticError MRL0674 where there is no such tensor, or no sample
 */
export function featureExponents(
  { imported: { module, weights, sources } }: Pick<LoadedModel, "imported">,
  samples: readonly Sample[],
  { model }: Pick<ResolvedOptions, "model">,
): FeatureExponents {
  const scalable = scalableValues(module).filter((id) => sources.has(id));
  if (scalable.length === 0 || samples.length === 0)
    return fail({
      code: "MRL0674",
      message:
        samples.length === 0
          ? "--scale-features needs calibration inputs, and none are given"
          : "--scale-features: expected features of the client that meet private matrices alone, found none",
      at: model,
      help: samples.length === 0 ? "add --calibrate <folder>" : "leave out --scale-features",
    });
  const front = removeDead({ ...module, outputs: scalable });
  const magnitudes = new Map(scalable.map((id) => [id, new Float64Array(typeOf(module, id).shape.at(-1)!)]));
  for (const sample of samples) {
    for (const [id, { data }] of interpret(front, weights, sample)) {
      const most = magnitudes.get(id)!;
      for (const [k, x] of data.entries()) most[k % most.length] = Math.max(most[k % most.length]!, Math.abs(x));
    }
  }
  return new Map([...magnitudes].map(([id, most]) => [sources.get(id)!, Array.from(most, exponentAbove)]));
}

/** Values of the client whose every reader is a product with a private matrix. */
function scalableValues(module: Module): readonly ValueId[] {
  const users = usersOf(opsOf(module));
  const matrices = new Set(
    Object.keys(module.params).filter((id) => {
      const { label, shape } = typeOf(module, id);
      return label === "server" && shape.length === 2;
    }),
  );
  const own = [...module.inputs, ...opsOf(module).map(({ result }) => result)].filter((id) => {
    const { label, element } = typeOf(module, id);
    return label === "client" && element.kind === "f32" && !module.outputs.includes(id);
  });
  return own.filter((id) => {
    const readers = users.get(id) ?? [];
    return (
      readers.length > 0 &&
      readers.every(({ name, operands: [x, w] }) => name === "matmul" && x === id && matrices.has(w!))
    );
  });
}

/** 0 for a feature that is 0 on all samples: nothing tells its size. */
const exponentAbove = (most: number): number => (most > 0 ? Math.ceil(Math.log2(most)) : 0);
