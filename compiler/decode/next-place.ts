import { type Diagnostic, DiagnosticError, fail } from "../../ir/diagnostic.ts";
import { type Module, typeOf, type ValueId } from "../../ir/module.ts";
import { print } from "../../ir/text/print.ts";
import type { SplitState } from "../../passes/pass.ts";
import { type Plan, planProgram } from "../../targets/program/plan.ts";
import type { Imported } from "../onnx/import/index.ts";
import { type OnePlace, onePlace } from "./one-place.ts";

/** A program of some places of the window. */
export interface SomePlaces {
  /** The scheduled module. */
  readonly module: Module;
  readonly plan: Plan;
  /** decode.mir, or window-<places>.mir */
  readonly text: string;
  /** Along which axis inputs and outputs have the places. */
  readonly axes: OnePlace["axes"];
  readonly places: number;
}

/** The program of one place, which goes on from what the window's keeps. */
export interface NextPlace extends SomePlaces {
  /** Places of the window. */
  readonly length: number;
  /** Programs of shorter windows, which keep the same: for texts that begin with less. */
  readonly windows: readonly SomePlaces[];
}

/** Places of the one input that text goes through, [1, length] of the client's token numbers; masks are none. */
function windowLength({ inputs, module }: Imported): number | undefined {
  const texts = [...inputs].filter(([name, id]) => {
    const { shape, element, label } = typeOf(module, id);
    return !/mask/i.test(name) && element.kind === "i64" && shape.length === 2 && shape[0] === 1 && label === "client";
  });
  return texts.length === 1 ? typeOf(module, texts[0]![1]).shape[1] : undefined;
}

export interface Window {
  readonly imported: Imported;
  /** The rewritten secure part, and the module that it became. */
  readonly state: SplitState;
  readonly module: Module;
  readonly setting: string;
  /** Places of the shorter windows that are wanted. */
  readonly buckets: readonly number[];
  /** From a rewritten module to a scheduled one, in the same way as the window. */
  readonly finish: (state: SplitState, kept: OnePlace["kept"]) => SplitState;
}

/**
 * The plans of both programs of a model that text goes through, or why there is only that of the window; undefined where
 * there is no window of text, or nothing of it is kept. Shorter windows that are wanted and cannot be are an error.
 */
export function nextPlace(window: Window): { readonly plan: Plan; readonly next: NextPlace } | Diagnostic | undefined {
  const { imported, state, module, setting, buckets } = window;
  const length = windowLength(imported);
  const one = length === undefined || length < 2 ? undefined : onePlace(state, { length });
  // Without attention in the secure part there is nothing to keep.
  if (length === undefined || !one || (!("code" in one) && one.kept.size === 0)) return without(buckets, undefined);
  if ("code" in one) return without(buckets, one);
  const plan = planProgram(module, setting, [...one.kept.keys()]);
  const next = somePlaces(window, plan, one, 1);
  if ("code" in next) return without(buckets, next);
  const windows = buckets.map((places): SomePlaces => {
    const fits = Number.isSafeInteger(places) && places > 1 && places < length;
    const block = fits ? onePlace(state, { length, count: places }) : undefined;
    const made = block && !("code" in block) ? somePlaces(window, plan, block, places) : block;
    if (!made) return unwanted(`a shorter window has 2 to ${length - 1} places, found ${places}`);
    return "code" in made ? unwanted(`a window of ${places} places`, [made.message, ...(made.because ?? [])]) : made;
  });
  return { plan, next: { ...next, length, windows } };
}

/** A program of some places, or why it does not fit the window's. */
function somePlaces({ module, setting, finish }: Window, window: Plan, made: OnePlace, places: number) {
  try {
    const scheduled = { ...finish(made.state, made.kept).module, name: module.name };
    const plan = planProgram(scheduled, setting);
    const apart = differences(window, plan);
    if (apart.length > 0) return incompatible(apart);
    return { module: scheduled, plan, text: print(scheduled), axes: made.axes, places };
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return error.diagnostics[0]!;
  }
}

/** Without a program of one place there are no shorter windows. */
const without = <T extends Diagnostic | undefined>(buckets: readonly number[], why: T): T =>
  buckets.length === 0
    ? why
    : unwanted("they are for generation with a cache, which this model has not", why ? [why.message] : []);

const unwanted = (why: string, because: readonly string[] = []): never =>
  fail({
    code: "MRL0309",
    message: `--buckets: ${why}`,
    because,
    help: "leave out --buckets: every text then begins with the whole window",
  });

/** Wires are read in the ring and at the scale in which they were opened, and the parties hold one file of weights. */
function differences(window: Plan, next: Plan): readonly string[] {
  const form = (plan: Plan, name: ValueId): string => `fx${plan.kept[name]?.width}.${plan.kept[name]?.scale}`;
  const wires = Object.keys(next.kept).filter((name) => form(window, name) !== form(next, name));
  const tensors = ({ weights }: Plan): ReadonlySet<string> =>
    new Set(
      Object.values(weights).map(({ form: held, tensor }) => `${held === "public" ? "public" : "hidden"} ${tensor}`),
    );
  const [mine, theirs] = [tensors(window), tensors(next)];
  return [
    ...wires.map((name) => `%${name} is ${form(window, name)} in the window and ${form(next, name)} behind it`),
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
