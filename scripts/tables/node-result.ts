import { join } from "node:path";
import type { OnnxModel, OnnxTensor } from "../../compiler/onnx/format/index.ts";
import { type ImportedModel, importModel } from "../../compiler/onnx/import/index.ts";
import { readModel } from "../../compiler/onnx/normalize/index.ts";
import { elementOfDtype } from "../../compiler/onnx/weights/index.ts";
import { createNoise, errorBound } from "../../compiler/report/cost/index.ts";
import { type Diagnostic, DiagnosticError, throwIfAny } from "../../ir/diagnostic.ts";
import { type InterpretOptions, interpret, interpretRaw, toReal } from "../../ir/interpret.ts";
import { type Step, typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { isFixed } from "../../ir/type.ts";
import { verify } from "../../ir/verify.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantizePass } from "../../passes/4-quantize/index.ts";
import { defaultPrecision } from "../../passes/4-quantize/precision.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { type PassState, runPass, type SplitState } from "../../passes/pass.ts";
import { type ImportAttempt, importAttempts, type NodeTest, readNodeTest, tensorValues } from "./node-test.ts";

/** How an operator does on one test of it. */
export type TestOutcome =
  | { readonly kind: "passes"; readonly error: number; readonly tolerance: number }
  | { readonly kind: "refused"; readonly because: readonly Diagnostic[] }
  | { readonly kind: "differs"; readonly because: string };

export interface NodeResult {
  readonly operators: readonly string[];
  /** Inputs that had to be known when the model was compiled. */
  readonly known: readonly string[];
  /** The imported module on inputs that are rounded to fixed point. */
  readonly imported: TestOutcome;
  /** All other inputs shared: the program that the parties run, on integers. Absent: nothing is secret. */
  readonly secure?: { readonly outcome: TestOutcome; readonly known: readonly string[] };
}

/** Trials, and how many times the worst of them is taken, as in the bound of a program's error. */
const trials = 6;
const deviations = 3;

/** Units in the last place that a reference may be off itself, in the precision of its type. */
const referenceUlps = 4;
const halfUlps: Readonly<Record<string, number>> = {
  float64: 2 ** -53,
  float32: 2 ** -24,
  float16: 2 ** -11,
  bfloat16: 2 ** -8,
};

const isReal = ({ dtype }: OnnxTensor): boolean => elementOfDtype(dtype).kind === "f32";
const finest = 2 ** -defaultPrecision.activation;

/** To the scale of activations; what is no number stays what it is. */
const rounded = ({ shape, data }: Tensor): Tensor => ({
  shape,
  data: data.map((x) => Math.round(x / finest) * finest),
});

type Values = ReadonlyMap<string, Tensor>;

/** Every output by its name: these are compared one by one. */
function run(imported: ImportedModel, inputs: Values): Values {
  const byId = new Map([...imported.inputs].map(([name, id]) => [id, inputs.get(name)!]));
  const found = interpret(imported.module, imported.weights, byId);
  return new Map([...imported.outputs].map(([name, id]) => [name, found.get(id)!]));
}

/** Greatest difference; infinite where one is no number, or another infinity, and the other is not. */
export function distance(a: Tensor, b: Tensor): number {
  if (a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY;
  return a.data.reduce((most, x, at) => {
    if (Object.is(x, b.data[at])) return most;
    const apart = Math.abs(x - b.data[at]!);
    return Number.isNaN(apart) ? Number.POSITIVE_INFINITY : Math.max(most, apart);
  }, 0);
}

/** What the reference's own type rounds off. */
function roundingOf(reference: OnnxTensor): number {
  const finite = tensorValues(reference).data.filter(Number.isFinite);
  const most = finite.reduce((all, x) => Math.max(all, Math.abs(x)), 0);
  return isReal(reference) ? referenceUlps * (halfUlps[reference.dtype] ?? 2 ** -24) * most : 0;
}

/** How far each real output moves when inputs move by half a unit, to first order; what the scale holds exactly stays. */
function perturbation(test: NodeTest, imported: ImportedModel, exact: Values): ReadonlyMap<string, number> {
  const next = createNoise();
  const base = run(imported, exact);
  const worst = new Map<string, number>();
  for (let trial = 0; trial < trials; trial++) {
    const moved = test.model.graph.inputs.map(({ name }, at): [string, Tensor] => {
      const { shape, data } = exact.get(name)!;
      const shifted = (x: number): number => ((x / finest) % 1 === 0 ? x : x + (finest / 2) * next());
      return [name, isReal(test.inputs[at]!) ? { shape, data: data.map(shifted) } : { shape, data }];
    });
    for (const [name, value] of run(imported, new Map(moved))) {
      worst.set(name, Math.max(worst.get(name) ?? 0, distance(value, base.get(name)!)));
    }
  }
  return worst;
}

/** A bound beyond which agreement says nothing. */
const meaningful = 0.05;

function judge(test: NodeTest, found: Values, allowed: (output: string) => number): TestOutcome {
  let [error, tolerance] = [0, 0];
  for (const [at, { name }] of test.model.graph.outputs.entries()) {
    const reference = test.outputs[at]!;
    const expected = tensorValues(reference);
    // Whole numbers and truth values are equal or wrong.
    const bound = isReal(reference) ? allowed(name) + roundingOf(reference) : 0;
    const most = expected.data.reduce((all, x) => Math.max(all, Number.isFinite(x) ? Math.abs(x) : 0), 1);
    const apart = distance(found.get(name)!, expected);
    const shown = (x: number): string => x.toExponential(1);
    if (bound > meaningful * most)
      return { kind: "differs", because: `${name}: a tolerance of ${shown(bound)} says nothing` };
    if (!(apart <= bound))
      return { kind: "differs", because: `${name}: off by ${shown(apart)}, tolerance ${shown(bound)}` };
    error = Math.max(error, apart);
    tolerance = Math.max(tolerance, bound);
  }
  return { kind: "passes", error, tolerance };
}

/** Diagnostics are an answer here; whatever else is thrown is a fault. */
function orRefused<T>(attempt: () => T, refused: (because: readonly Diagnostic[]) => T): T {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof DiagnosticError) return refused(error.diagnostics);
    throw error;
  }
}

const refusedOutcome = (because: readonly Diagnostic[]): TestOutcome => ({ kind: "refused", because });

/**
 * All inputs but those that must be known are the client's, and shared before anything is computed: otherwise the client
 * would compute an operator on its own inputs in the clear.
 */
const sharedId = (id: ValueId): ValueId => `${id}.entered`;
function shareInputs(state: SplitState): SplitState {
  const { module } = state;
  const inputs = module.inputs.filter((id) => module.values[id]!.type.label === "shared");
  const names = new Map(inputs.map((id) => [id, sharedId(id)]));
  const values = { ...module.values };
  for (const [id, name] of names) {
    const { type } = values[id]!;
    values[name] = { type };
    values[id] = { type: { ...type, label: "client" } };
  }
  const shares = [...names].map(([id, result]): Step => {
    return { ops: [{ name: "share", operands: [id], result, attrs: {}, origin: "" }] };
  });
  const rest = module.steps.map(({ ops }): Step => {
    return { ops: ops.map((op) => ({ ...op, operands: op.operands.map((id) => names.get(id) ?? id) })) };
  });
  return { ...state, module: { ...module, values, steps: [...shares, ...rest] } };
}

/** The parties' program, run by the interpreter in integers, within the bound that its protocols declare. */
function secureOutcome(test: NodeTest, { imported }: ImportAttempt, exact: Values): TestOutcome {
  const { module, weights, sources, inputs, outputs } = imported;
  return orRefused((): TestOutcome => {
    const reveal = [...new Set(outputs.values())].map((output) => ({ output, to: "client" as const }));
    const state = runPass(rewritePass(), shareInputs(split({ module, weights, sources }, { reveal })));
    const fed = new Map<ValueId, Tensor>([...inputs].map(([name, id]) => [id, exact.get(name)!]));
    const quantized = runPass(quantizePass({ calibration: calibrate(state, [fed]) }), state);
    const program = runPass(schedulePass, runPass(selectPass({ setting: "2pc-dealer" }), quantized));
    const bound = errorBound(program.module, program.weights, fed, "off");
    const byId = interpret(program.module, program.weights, fed);
    const unrounded = interpretRaw(program.module, program.weights, fed, { adjust: exactRounding(program, fed) });
    const ends = new Map([...unrounded].map(([id, raw]) => [id, toReal(raw, typeOf(program.module, id).element)]));
    const known = run(imported, exact);
    const named = (values: ReadonlyMap<ValueId, Tensor>): Values => {
      const of = (id: ValueId): Tensor | undefined => values.get(id) ?? values.get(`${id}.revealed`);
      return new Map([...outputs].map(([name, id]) => [name, of(id) ?? known.get(name)!]));
    };
    const [found, ideal] = [named(byId), named(ends)];
    const moved = perturbation(test, imported, exact);
    return judge(test, found, (output) => {
      const rounding = distance(found.get(output)!, ideal.get(output)!);
      return bound + rounding + deviations * (moved.get(output) ?? 0);
    });
  }, refusedOutcome);
}

/**
 * Numbers that are shared, and weights, before they are rounded to their scale: what the program makes of these differs
 * from what it makes of rounded ones by the effect of the rounding.
 */
function exactRounding(
  { module, weights }: PassState,
  fed: ReadonlyMap<ValueId, Tensor>,
): NonNullable<InterpretOptions["adjust"]> {
  return (id, raw, op) => {
    const { element } = typeOf(module, id);
    const key = module.params[id];
    const real = op?.name === "share" ? fed.get(op.operands[0]!) : key === undefined ? undefined : weights.get(key);
    if (!real || !isFixed(element)) return raw;
    return { shape: real.shape, data: real.data.map((x) => x * 2 ** element.scale) };
  };
}

/** Sets of known inputs that are tried before the first refusal stands. */
const maxAttempts = 12;

/** With as few inputs known as a program of the parties allows; undefined where no output is secret. */
function sharedResult(test: NodeTest, least: readonly string[], exact: Values): NodeResult["secure"] {
  let first: NodeResult["secure"];
  let tried = 0;
  for (const attempt of importAttempts(test, "shared", least)) {
    const { module, outputs } = attempt.imported;
    const secret = [...outputs.values()].some((id) => module.values[id]!.type.label === "shared");
    if (!secret || tried++ === maxAttempts) return first;
    const found = { known: attempt.knownInputs, outcome: secureOutcome(test, attempt, exact) };
    if (found.outcome.kind !== "refused") return found;
    first ??= found;
  }
  return first;
}

/** One folder of the ONNX project's node tests. */
export function nodeResult(folder: string): NodeResult {
  const model = orRefused<OnnxModel | undefined>(
    () => readModel(join(folder, "model.onnx")),
    () => undefined,
  );
  const refused = (because: readonly Diagnostic[]) => ({ known: [], imported: refusedOutcome(because) });
  const whole = orRefused<Omit<NodeResult, "operators">>(
    () => testResult(readNodeTest(folder)),
    // What the model itself is refused for says more than what its data is.
    (because) => refused(model ? (problemsOf(model) ?? because) : because),
  );
  return { operators: [...new Set(model?.graph.nodes.map(({ op }) => op))], ...whole };
}

const problemsOf = (model: OnnxModel): readonly Diagnostic[] | undefined =>
  orRefused<readonly Diagnostic[] | undefined>(
    () => void importModel(model),
    (because) => because,
  );

function testResult(test: NodeTest): Omit<NodeResult, "operators"> {
  const { value: attempt, done } = importAttempts(test).next();
  if (done) return { known: [], imported: refusedOutcome(attempt) };
  const { imported, knownInputs } = attempt;
  throwIfAny(verify(imported.module));
  const exact = new Map(test.model.graph.inputs.map(({ name }, at) => [name, tensorValues(test.inputs[at]!)]));
  const fixed = [...exact].map(([name, value], at): [string, Tensor] => {
    return [name, isReal(test.inputs[at]!) && imported.inputs.has(name) ? rounded(value) : value];
  });
  const moved = perturbation(test, imported, exact);
  const outcome = judge(test, run(imported, new Map(fixed)), (output) => deviations * (moved.get(output) ?? 0));
  const shared = sharedResult(test, knownInputs, exact);
  return { known: knownInputs, imported: outcome, ...(shared && { secure: shared }) };
}
