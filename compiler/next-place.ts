import { type Diagnostic, DiagnosticError } from "../ir/diagnostic.ts";
import { type Module, typeOf, type ValueId } from "../ir/module.ts";
import { print } from "../ir/text/print.ts";
import { type OnePlace, onePlace } from "../passes/2-rewrite/one-place.ts";
import type { SplitState } from "../passes/pass.ts";
import { type Plan, planProgram } from "../targets/program/plan.ts";
import type { Imported } from "./onnx/import.ts";

/** The program of one place, which goes on from what the window's keeps. */
export interface NextPlace {
  /** The scheduled module. */
  readonly module: Module;
  readonly plan: Plan;
  /** decode.mir */
  readonly text: string;
  /** Places of the window. */
  readonly length: number;
  /** Along which axis inputs and outputs have the places. */
  readonly axes: OnePlace["axes"];
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
  /** From a rewritten module to a scheduled one, in the same way as the window. */
  readonly finish: (state: SplitState, kept: OnePlace["kept"]) => SplitState;
}

/**
 * The plans of both programs of a model that text goes through, or why there is only that of the window; undefined where
 * there is no window of text, or nothing of it is kept.
 */
export function nextPlace(window: Window): { readonly plan: Plan; readonly next: NextPlace } | Diagnostic | undefined {
  const { imported, state, module, setting, finish } = window;
  const length = windowLength(imported);
  if (length === undefined || length < 2) return undefined;
  const one = onePlace(state, { length });
  if ("code" in one) return one;
  // Without attention in the secure part there is nothing to keep.
  if (one.kept.size === 0) return undefined;
  try {
    const scheduled = { ...finish(one.state, one.kept).module, name: module.name };
    const plan = planProgram(module, setting, [...one.kept.keys()]);
    const next = planProgram(scheduled, setting);
    const apart = differences(plan, next);
    if (apart.length > 0) return incompatible(apart);
    return { plan, next: { module: scheduled, plan: next, text: print(scheduled), length, axes: one.axes } };
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return error.diagnostics[0]!;
  }
}

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
  message: "the program of one place does not fit that of the window",
  because,
  help: "it runs over its whole window for every token",
});
