import type { Diagnostic } from "../../ir/diagnostic.ts";
import { removeDead } from "../../ir/edit.ts";
import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { Interval } from "../../ir/type.ts";
import { analyzeRanges, type Calibration } from "../../passes/4-quantize/index.ts";
import type { ClientCut, SplitState } from "../../passes/pass.ts";
import type { ImportedModel } from "../onnx/import/index.ts";

/**
 * Bounds of what the client shares, from bounds of the model's inputs: interval analysis of the part that it computes in
 * the clear. `bounds` are by value of the imported module.
 */
export function boundsOfCuts(
  imported: Pick<ImportedModel, "module" | "weights">,
  cuts: readonly ClientCut[],
  valueOfCut: (cut: ClientCut) => ValueId,
  bounds: ReadonlyMap<ValueId, Interval>,
  precision: Precision,
): ReadonlyMap<ValueId, Interval> {
  const real = cuts.filter(({ oneHot }) => oneHot === undefined);
  const front = removeDead({ ...imported.module, outputs: [...new Set(real.map(valueOfCut))] });
  const { ranges } = analyzeRanges({ module: front, weights: imported.weights }, precision, {
    ...{ values: bounds, inner: new Map() },
  });
  return new Map(
    real.flatMap((cut) => {
      const { lo, hi } = ranges.get(valueOfCut(cut))!;
      const least = Math.max(lo, cut.least ?? -Infinity);
      return isFiniteInterval({ lo: least, hi }) ? [[cut.value, { lo: least, hi }] as const] : [];
    }),
  );
}

/** What is given of an input holds of what is shared of it: a measurement there would count instead, if it is narrower. */
export function passedToShares(module: Module, given: ReadonlyMap<ValueId, Interval>): ReadonlyMap<ValueId, Interval> {
  const inputs = new Set(module.inputs);
  const shares = opsOf(module).flatMap(({ name, operands: [input], result }) => {
    const range = (name === "share" || name === "take-over") && inputs.has(input!) ? given.get(input!) : undefined;
    return range ? [[result, range] as const] : [];
  });
  return new Map([...shares, ...given]);
}

export const isFiniteInterval = ({ lo, hi }: Interval): boolean => Number.isFinite(lo) && Number.isFinite(hi);

/** Names shown of a list that may have one for each value. */
const maxNames = 8;

/**
 * One problem for all shared values without finite bounds. Where inputs have none, all others follow from that.
 * `inputs`: names of the model's inputs that reach the shared part.
 */
export function missingBounds(
  { module, sources }: Pick<SplitState, "module" | "sources">,
  { ranges }: Pick<Calibration, "ranges">,
  inputs: readonly string[],
): readonly Diagnostic[] {
  const isOpen = (id: ValueId): boolean => !isFiniteInterval(ranges.get(id)!);
  const results = opsOf(module).filter(
    ({ result }) => module.values[result]!.type.label === "shared" && isOpen(result),
  );
  const [first] = results;
  if (!first) return [];
  const ofInputs = module.inputs.some(isOpen);
  const names = ofInputs ? inputs : results.map(({ result }) => sources.get(result) ?? result);
  const listed = `${names.slice(0, maxNames).join(", ")}${names.length > maxNames ? `, … (${names.length} in all)` : ""}`;
  const rows = names.slice(0, 2).map((name) => `{ "name": ${JSON.stringify(name)}, "lo": -1, "hi": 1 }`);
  const file = `{ "schema": 1, "values": [${rows.join(", ")}${names.length > 2 ? ", …" : ""}] }`;
  return [
    {
      code: "MRL0669",
      message: `expected public bounds of ${ofInputs ? "what the client shares" : "shared values"}, found none for ${listed}`,
      at: first.origin || `%${first.result}`,
      because: ["bounds decide ring widths: no value behind has a form without them"],
      help: `give public inputs: --calibrate <folder of .npz>; or write bounds into a file, as ${file}, and give it: --ranges <file>`,
    },
  ];
}
