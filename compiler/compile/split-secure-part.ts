import type { Module, ValueId } from "../../ir/module.ts";
import type { WeightStore } from "../../ir/tensor.ts";
import { print } from "../../ir/text/print.ts";
import { split } from "../../passes/1-split/index.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { approximatePass } from "../../passes/3-approximate/index.ts";
import { computesOperator } from "../../passes/5-select/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import type { LoadedModel, ResolvedOptions } from "../load/index.ts";
import type { ImportedModel } from "../onnx/import/index.ts";
import type { Ownership } from "../ownership/index.ts";
import { publicWeightsFromPrivate } from "./check-public-weights.ts";

/** The secure part of a model, once with its own weights and once with public weights instead of private ones. */
export interface SecurePart {
  readonly private: SplitState;
  readonly public: SplitState;
  /** The module after 1-split and after 2-rewrite. */
  readonly split: Module;
  readonly rewritten: Module;
}

/**
 * Splits off the secure part and rewrites it, twice: with the model's own weights, and with public weights instead of
 * private ones. Rewrites look at shapes, labels and public values only, so both modules have the same text, which is
 * checked.
 */
export function splitSecurePart(
  { imported, ownership, surrogate, reveal }: LoadedModel,
  {
    calibration: { scaleFeatures = false },
    interface: { head },
    target: { setting, preset },
  }: Pick<ResolvedOptions, "calibration" | "interface" | "target">,
): SecurePart {
  // With a third party, a private lookup hides the index for less traffic than one row has.
  const lookups = setting === "3pc" && !preset?.families?.includes("replicated") ? "private" : "one-hot";
  const rewrite = rewritePass({
    ...(head !== undefined && { head }),
    lookups,
    scalesFeatures: scaleFeatures,
    computes: computesOperator({ setting, ...(preset && { families: preset.families }) }),
    without: preset?.without ?? [],
  });
  const reasons = reasonsOf(imported, ownership);
  const derive = (weights: WeightStore) => {
    const { module, sources, attached } = imported;
    const divided = split({ module, weights, sources, ...(attached && { attached }) }, { reveal, reasons });
    const rewritten = runPass(rewrite, divided);
    return { divided, rewritten, state: preset ? runPass(approximatePass(preset), rewritten) : rewritten };
  };
  const fromPrivate = derive(imported.weights);
  const { state: fromPublic } = derive(surrogate.weights);
  checkSameRewrites(fromPrivate.state, fromPublic);
  return {
    private: fromPrivate.state,
    public: fromPublic,
    split: fromPrivate.divided.module,
    rewritten: fromPrivate.rewritten.module,
  };
}

/** Why each stored weight has its owner: the option that names it, or what is missing to prove it public. */
function reasonsOf({ module, storedWeights }: ImportedModel, { table }: Ownership): ReadonlyMap<ValueId, string> {
  const whys = new Map(table.map(({ name, why }) => [name, why]));
  return new Map(
    Object.entries(module.params).flatMap(([id, key]) => {
      const { weight = key } = storedWeights.get(key) ?? {};
      const why = whys.get(weight);
      return why === undefined ? [] : [[id, `weight "${weight}": ${why}`] as const];
    }),
  );
}

/** A rewrite that depended on private values would leak them through the public module or its public weights. */
function checkSameRewrites(fromPrivate: SplitState, fromPublic: SplitState): void {
  if (print(fromPrivate.module) !== print(fromPublic.module)) {
    throw new Error("a rewrite depends on private values: public values give another module");
  }
  const [leaked] = publicWeightsFromPrivate(fromPrivate, fromPublic);
  if (leaked !== undefined) throw new Error(`a rewrite computes ${leaked}, which is public, from private values`);
}
