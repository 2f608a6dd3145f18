import { type Diagnostic, DiagnosticError, fail } from "../../ir/diagnostic.ts";
import { type Module, typeOf, type ValueId } from "../../ir/module.ts";
import { print } from "../../ir/text/print.ts";
import type { SplitState } from "../../passes/pass.ts";
import { type ProgramPlan, planProgram } from "../../targets/program/plan.ts";
import type { ImportedModel } from "../onnx/import/index.ts";
import { type DecodeStep, deriveDecodeStep } from "./decode-step.ts";

/** A program of some places of the window. */
export interface ChunkProgram {
  /** The scheduled module. */
  readonly module: Module;
  readonly plan: ProgramPlan;
  /** decode.mir, or window-<places>.mir */
  readonly mir: string;
  /** Along which axis inputs and outputs have the places. */
  readonly axes: DecodeStep["axes"];
  readonly positions: number;
}

/** The program of one place, which goes on from what the window's keeps. */
export interface DecodeProgram extends ChunkProgram {
  /** Places of the window. */
  readonly contextLength: number;
  /** Programs of shorter windows, which keep the same: for texts that begin with less. */
  readonly buckets: readonly ChunkProgram[];
}

/** Places of the one input that text goes through, [1, length] of the client's token numbers; masks are none. */
function contextLengthOf({ inputs, module }: ImportedModel): number | undefined {
  const texts = [...inputs].filter(([name, id]) => {
    const { shape, element, label } = typeOf(module, id);
    return !/mask/i.test(name) && element.kind === "i64" && shape.length === 2 && shape[0] === 1 && label === "client";
  });
  return texts.length === 1 ? typeOf(module, texts[0]![1]).shape[1] : undefined;
}

export interface PrefillProgram {
  readonly imported: ImportedModel;
  /** The rewritten secure part, and the module that it became. */
  readonly state: SplitState;
  readonly module: Module;
  readonly setting: string;
  /** Places of the shorter windows that are wanted. */
  readonly buckets: readonly number[];
  /** From a rewritten module to a scheduled one, in the same way as the window. */
  readonly schedule: (state: SplitState, kept: DecodeStep["cached"]) => SplitState;
}

/**
 * The plans of both programs of a model that text goes through, or why there is only that of the window; undefined where
 * there is no window of text, or nothing of it is kept. Shorter windows that are wanted and cannot be are an error.
 */
export function planDecode(
  prefill: PrefillProgram,
): { readonly plan: ProgramPlan; readonly next: DecodeProgram } | Diagnostic | undefined {
  const { imported, state, module, setting, buckets } = prefill;
  const contextLength = contextLengthOf(imported);
  const step =
    contextLength === undefined || contextLength < 2 ? undefined : deriveDecodeStep(state, { contextLength });
  // Without attention in the secure part there is nothing to keep.
  if (contextLength === undefined || !step || (!("code" in step) && step.cached.size === 0))
    return withoutBuckets(buckets, undefined);
  if ("code" in step) return withoutBuckets(buckets, step);
  const plan = planProgram(module, setting, [...step.cached.keys()]);
  const next = planChunk(prefill, plan, step, 1);
  if ("code" in next) return withoutBuckets(buckets, next);
  const bucketPrograms = buckets.map((positions): ChunkProgram => {
    const fits = Number.isSafeInteger(positions) && positions > 1 && positions < contextLength;
    const block = fits ? deriveDecodeStep(state, { contextLength, count: positions }) : undefined;
    const made = block && !("code" in block) ? planChunk(prefill, plan, block, positions) : block;
    if (!made) return bucketsRefused(`a shorter window has 2 to ${contextLength - 1} places, found ${positions}`);
    return "code" in made
      ? bucketsRefused(`a window of ${positions} places`, [made.message, ...(made.because ?? [])])
      : made;
  });
  return { plan, next: { ...next, contextLength, buckets: bucketPrograms } };
}

/** A program of some places, or why it does not fit the window's. */
function planChunk(
  { module, setting, schedule }: PrefillProgram,
  prefillPlan: ProgramPlan,
  chunk: DecodeStep,
  positions: number,
): ChunkProgram | Diagnostic {
  try {
    const scheduled = { ...schedule(chunk.state, chunk.cached).module, name: module.name };
    const plan = planProgram(scheduled, setting);
    const mismatches = planMismatches(prefillPlan, plan);
    if (mismatches.length > 0) return incompatible(mismatches);
    return { module: scheduled, plan, mir: print(scheduled), axes: chunk.axes, positions };
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return error.diagnostics[0]!;
  }
}

/** Without a program of one place there are no shorter windows. */
const withoutBuckets = <T extends Diagnostic | undefined>(buckets: readonly number[], why: T): T =>
  buckets.length === 0
    ? why
    : bucketsRefused("they are for generation with a cache, which this model has not", why ? [why.message] : []);

const bucketsRefused = (why: string, because: readonly string[] = []): never =>
  fail({
    code: "MRL0309",
    message: `--buckets: ${why}`,
    because,
    help: "leave out --buckets: every text then begins with the whole window",
  });

/** Wires are read in the ring and at the scale in which they were opened, and the parties hold one file of weights. */
function planMismatches(prefill: ProgramPlan, chunk: ProgramPlan): readonly string[] {
  const form = (plan: ProgramPlan, name: ValueId): string =>
    `fx${plan.cached[name]?.width}.${plan.cached[name]?.scale}`;
  const mismatched = Object.keys(chunk.cached).filter((name) => form(prefill, name) !== form(chunk, name));
  const tensors = ({ weights }: ProgramPlan): ReadonlySet<string> =>
    new Set(
      Object.values(weights).map(({ form: held, tensor }) => `${held === "public" ? "public" : "hidden"} ${tensor}`),
    );
  const [mine, theirs] = [tensors(prefill), tensors(chunk)];
  return [
    ...mismatched.map((name) => `%${name} is ${form(prefill, name)} in the window and ${form(chunk, name)} behind it`),
    ...[...mine].filter((tensor) => !theirs.has(tensor)).map((tensor) => `only the window takes ${tensor}`),
    ...[...theirs].filter((tensor) => !mine.has(tensor)).map((tensor) => `only the next place takes ${tensor}`),
  ];
}

const incompatible = (because: readonly string[]): Diagnostic => ({
  code: "MRL0307",
  message: "the program of fewer places does not fit that of the window",
  because,
  help: "it runs over its whole window for every token",
});
