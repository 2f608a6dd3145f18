import { type Diagnostic, DiagnosticError, fail } from "../../ir/diagnostic.ts";
import { type Module, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { print } from "../../ir/text/print.ts";
import type { GuardFacts, SplitState } from "../../passes/pass.ts";
import { type ProgramPlan, planProgram } from "../../targets/program/plan.ts";
import type { ImportedModel } from "../onnx/import/index.ts";
import { type DecodeStep, deriveDecodeStep } from "./decode-step.ts";

/** A program for some positions of the window. */
export interface ChunkProgram {
  /** The scheduled module. */
  readonly module: Module;
  readonly plan: ProgramPlan;
  /** decode.mir, or window-<positions>.mir */
  readonly mir: string;
  /** The position axis of inputs and outputs. */
  readonly axes: DecodeStep["axes"];
  readonly positions: number;
  readonly guard?: GuardFacts;
}

/** The program for one position, which continues from what the window's program keeps. */
export interface DecodeProgram extends ChunkProgram {
  /** Number of positions of the window. */
  readonly contextLength: number;
  /** Programs of shorter windows that keep the same masked values: for shorter prompts. */
  readonly buckets: readonly ChunkProgram[];
}

/** Positions of the one text input, [1, length] of the client's token numbers; masks do not count. */
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
  /** Numbers of positions of the requested shorter windows. */
  readonly buckets: readonly number[];
  /** Turns a rewritten module into a scheduled one, in the same way as for the window. */
  readonly schedule: (state: SplitState, kept: DecodeStep["cached"]) => SplitState;
}

/**
 * Plans both programs of a model with a text input, or says why there is only that of the window. Undefined where there
 * is no text window, or where nothing of it is kept. Requested shorter windows that are impossible are an error
 * (MRL0309).
 */
export function planDecode(
  prefill: PrefillProgram,
): { readonly plan: ProgramPlan; readonly next: DecodeProgram } | Diagnostic | undefined {
  const { imported, state, module, setting, buckets } = prefill;
  // Values pass between programs in shares as a whole, not position by position.
  if (opsOf(module).some(({ name }) => name === "hand-over" || name === "take-over"))
    return withoutBuckets(buckets, undefined);
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
    if (!made)
      return bucketsRefused(`expected 2 to ${contextLength - 1} positions for a shorter window, found ${positions}`);
    return "code" in made
      ? bucketsRefused(`a window of ${positions} positions`, [made.message, ...(made.because ?? [])])
      : made;
  });
  return { plan, next: { ...next, contextLength, buckets: bucketPrograms } };
}

/** Plans a program of some positions, or says why it does not fit the window's. */
function planChunk(
  { module, setting, schedule }: PrefillProgram,
  prefillPlan: ProgramPlan,
  chunk: DecodeStep,
  positions: number,
): ChunkProgram | Diagnostic {
  try {
    const made = schedule(chunk.state, chunk.cached);
    const scheduled = { ...made.module, name: module.name };
    const plan = planProgram(scheduled, setting);
    const mismatches = planMismatches(prefillPlan, plan);
    if (mismatches.length > 0) return incompatible(mismatches);
    const guard = made.guard && { guard: made.guard };
    return { module: scheduled, plan, mir: print(scheduled), axes: chunk.axes, positions, ...guard };
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return error.diagnostics[0]!;
  }
}

/** Without a program for one position, shorter windows are impossible. */
const withoutBuckets = <T extends Diagnostic | undefined>(buckets: readonly number[], why: T): T =>
  buckets.length === 0
    ? why
    : bucketsRefused("they need generation with a cache, which this model does not support", why ? [why.message] : []);

const bucketsRefused = (why: string, because: readonly string[] = []): never =>
  fail({
    code: "MRL0309",
    message: `--buckets: ${why}`,
    because,
    help: "leave out --buckets: every prompt then runs over the whole window",
  });

/**
 * Masked values are read in the ring and at the scale in which they were opened, and the parties hold one file of
 * weights.
 */
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
    ...[...theirs].filter((tensor) => !mine.has(tensor)).map((tensor) => `only the next position takes ${tensor}`),
  ];
}

const incompatible = (because: readonly string[]): Diagnostic => ({
  code: "MRL0307",
  message: "the program of fewer positions does not fit that of the window",
  because,
  help: "no action is needed: the program runs over its whole window for every token",
});
