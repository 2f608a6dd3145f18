/**
 * Presets: how published systems compute, as data. A new one is a file with a `Preset` and a line in `presets`:
 *
 *   rewrites   operator → function (op, maths) that expands it into other operators, with the published constants and
 *              their source; building-blocks.ts has what several systems share, and `...crypten.rewrites` inherits
 *   families   families of protocols to choose from, the preferred ones first
 *   ring       one ring for every share; absent: 5-select plans rings per value
 *   precision  fractional bits
 *
 * scripts/tables/presets.ts finds its functions by itself; test/passes/approximate.test.ts checks their errors.
 */
import { opsOf } from "../../ir/module.ts";
import { rewriteOps } from "../2-rewrite/index.ts";
import type { Pass, SplitState } from "../pass.ts";
import { bumblebee } from "./bumblebee.ts";
import { crypten } from "./crypten.ts";
import { createFormulaBuilder } from "./formula-builder.ts";
import { mpcformer, mpcformerRelu } from "./mpcformer.ts";
import type { Preset } from "./preset.ts";
import { puma } from "./puma.ts";
import { secformer } from "./secformer.ts";
import { shaft } from "./shaft.ts";
import { sigma } from "./sigma.ts";
import { sirnn } from "./sirnn.ts";

export { type Preset, presetLimits } from "./preset.ts";

export const presets: ReadonlyMap<string, Preset> = new Map(
  [crypten, mpcformer, mpcformerRelu, secformer, shaft, puma, bumblebee, sirnn, sigma].map((preset) => [
    preset.name,
    preset,
  ]),
);

/** Maximum number of rounds: an operator that expands into itself would never end. */
const maxRounds = 8;

/** Expands every operator on secrets that the preset names, then the operators of each expansion. */
export function approximate(state: SplitState, preset: Preset): SplitState {
  let current = state;
  for (let round = 0; ; round++) {
    let changed = false;
    current = rewriteOps(current, (op, draft) => {
      const expand = Object.hasOwn(preset.rewrites, op.name) ? preset.rewrites[op.name] : undefined;
      if (!expand || op.operands.every((id) => draft.type(id).label !== "shared")) return undefined;
      const result = expand(op, createFormulaBuilder(op, draft));
      changed ||= result !== undefined;
      return result;
    });
    if (!changed) return { ...current, module: { ...current.module, stage: "approximate" } };
    if (round === maxRounds)
      throw new Error(
        `preset ${preset.name} did not end in ${maxRounds} rounds: ${opsOf(current.module).length} operators`,
      );
  }
}

export const approximatePass = (preset: Preset): Pass<SplitState> => ({
  name: "approximate",
  requires: "rewrite",
  ensures: "approximate",
  run: (state) => approximate(state, preset),
});
