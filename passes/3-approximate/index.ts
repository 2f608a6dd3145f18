/**
 * Presets: how published systems compute, as data. A new one is a file with a `Preset` and a line in `presets`:
 *
 *   rewrites   operator → function (op, maths) that writes it out in other operators, with the published constants and
 *              their source; what several systems share is in parts.ts, and `...crypten.rewrites` inherits
 *   families   whose protocols may be chosen; how values are shared and revealed is free
 *   ring       one ring for every share; absent: rings are planned value by value
 *   precision  fractional bits
 *
 * Its functions go into scripts/tables/presets.ts by themselves; test/passes/approximate.test.ts holds their errors.
 */
import { opsOf } from "../../ir/module.ts";
import { rewriteOps } from "../2-rewrite/draft.ts";
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

export type { Preset } from "./preset.ts";

export const presets: ReadonlyMap<string, Preset> = new Map(
  [crypten, mpcformer, mpcformerRelu, secformer, shaft, puma, bumblebee, sirnn, sigma].map((preset) => [
    preset.name,
    preset,
  ]),
);

/** An operator that expands into itself would go on for ever; none needs more rounds than this. */
const maxRounds = 8;

/** Every operator on secrets that the preset names, written out; what an expansion uses is written out in turn. */
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
    if (round === maxRounds) throw new Error(`${preset.name} has no end: ${opsOf(current.module).length} operators`);
  }
}

export const approximatePass = (preset: Preset): Pass<SplitState> => ({
  name: "approximate",
  requires: "rewrite",
  ensures: "approximate",
  run: (state) => approximate(state, preset),
});
