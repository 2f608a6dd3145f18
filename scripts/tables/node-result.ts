import { join } from "node:path";
import { createNoise, errorBound } from "../../compiler/accuracy/index.ts";
import type { OnnxModel, OnnxTensor } from "../../compiler/onnx/format/index.ts";
import { type ImportedModel, importModel } from "../../compiler/onnx/import/index.ts";
import { readModel } from "../../compiler/onnx/normalize/index.ts";
import { elementOfDtype } from "../../compiler/onnx/weights/index.ts";
import { type Diagnostic, DiagnosticError, throwIfAny } from "../../ir/diagnostic.ts";
import { type InterpretOptions, interpret, interpretRaw, toReal } from "../../ir/interpret.ts";
import { type Step, typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { isFixed } from "../../ir/type.ts";
import { verify } from "../../ir/verify.ts";
import { split } from "../../passes/1-split/index.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { calibrate, defaultPrecision, quantizePass } from "../../passes/4-quantize/index.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { type PassState, runPass, type SplitState } from "../../passes/pass.ts";
import { type ImportAttempt, importAttempts, type NodeTest, readNodeTest, tensorValues } from "./node-test.ts";

/** The outcome of one test. Errors are absolute. */
export type TestOutcome =
  | { readonly kind: "passes"; readonly error: number; readonly tolerance: number }
  | { readonly kind: "refused"; readonly because: readonly Diagnostic[] }
  | { readonly kind: "differs"; readonly because: string };

export interface NodeResult {
  readonly operators: readonly string[];
  /** Inputs that must be constants of the model. */
  readonly known: readonly string[];
  /** The imported module on inputs rounded to fixed point. */
  readonly imported: TestOutcome;
  /** The parties' program on integers, with all other inputs shared. Absent: nothing is secret. */
  readonly secure?: { readonly outcome: TestOutcome; readonly known: readonly string[] };
}

/** Random trials, and the factor on the worst of them, as in the bound of a program's error. */
const trials = 6;
const deviations = 3;

/** Error of a reference itself, in units in the last place of its type. */
const referenceUlps = 4;
const halfUlps: Readonly<Record<string, number>> = {
  float64: 2 ** -53,
  float32: 2 ** -24,
  float16: 2 ** -11,
  bfloat16: 2 ** -8,
};

const isReal = ({ dtype }: OnnxTensor): boolean => elementOfDtype(dtype).kind === "f32";
const finest = 2 ** -defaultPrecision.activation;

/** Rounds to the scale of activations; NaN and infinities stay. */
const rounded = ({ shape, data }: Tensor): Tensor => ({
  shape,
  data: data.map((x) => Math.round(x / finest) * finest),
});

type Values = ReadonlyMap<string, Tensor>;

/** Every output by its ONNX name. */
function run(imported: ImportedModel, inputs: Values): Values {
  const byId = new Map([...imported.inputs].map(([name, id]) => [id, inputs.get(name)!]));
  const found = interpret(imported.module, imported.weights, byId);
  return new Map([...imported.outputs].map(([name, id]) => [name, found.get(id)!]));
}

/** Largest absolute difference. Equal infinities and two NaNs agree; otherwise a NaN or an infinity differs by ∞. */
export function distance(a: Tensor, b: Tensor): number {
  if (a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY;
  return a.data.reduce((most, x, at) => {
    if (Object.is(x, b.data[at])) return most;
    const apart = Math.abs(x - b.data[at]!);
    return Number.isNaN(apart) ? Number.POSITIVE_INFINITY : Math.max(most, apart);
  }, 0);
}

/** The rounding error of the reference's own type. */
function roundingOf(reference: OnnxTensor): number {
  const finite = tensorValues(reference).data.filter(Number.isFinite);
  const most = finite.reduce((all, x) => Math.max(all, Math.abs(x)), 0);
  return isReal(reference) ? referenceUlps * (halfUlps[reference.dtype] ?? 2 ** -24) * most : 0;
}

/**
 * How far each real output moves when inputs move by half a unit of the activation scale, to first order. Inputs that the
 * scale represents exactly do not move.
 */
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

/** Part of an output's largest value, at least of 1. Agreement within a larger bound is not meaningful. */
const maxBound = 0.05;

function judge(test: NodeTest, found: Values, allowed: (output: string) => number): TestOutcome {
  let [error, tolerance] = [0, 0];
  for (const [at, { name }] of test.model.graph.outputs.entries()) {
    const reference = test.outputs[at]!;
    const expected = tensorValues(reference);
    // Integers and booleans must be equal.
    const bound = isReal(reference) ? allowed(name) + roundingOf(reference) : 0;
    const most = expected.data.reduce((all, x) => Math.max(all, Number.isFinite(x) ? Math.abs(x) : 0), 1);
    const apart = distance(found.get(name)!, expected);
    const shown = (x: number): string => x.toExponential(1);
    if (bound > maxBound * most)
      return { kind: "differs", because: `${name}: a tolerance of ${shown(bound)} is not meaningful` };
    if (!(apart <= bound))
      return { kind: "differs", because: `${name}: off by ${shown(apart)}, tolerance ${shown(bound)}` };
    error = Math.max(error, apart);
    tolerance = Math.max(tolerance, bound);
  }
  return { kind: "passes", error, tolerance };
}

/** A refusal is a result here; any other error is a fault. */
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
 * Makes inputs that arrive as shares inputs of the client, which shares them: so there is one input to give, and the
 * client computes no operator on it in the clear.
 */
function shareInputs(state: SplitState): SplitState {
  const { module } = state;
  const values = { ...module.values };
  for (const id of module.inputs) {
    const { type } = values[id]!;
    if (type.label === "shared") values[id] = { type: { ...type, label: "client" } };
  }
  const steps = module.steps.map(
    ({ ops }): Step => ({
      ops: ops.map((op) => (op.name === "take-over" ? { ...op, name: "share", attrs: {} } : op)),
    }),
  );
  return { ...state, module: { ...module, values, steps } };
}

/** The interpreter runs the parties' program on integers, within the bound that its protocols declare. */
function secureOutcome(test: NodeTest, { imported }: ImportAttempt, exact: Values): TestOutcome {
  const { module, weights, sources, inputs, outputs } = imported;
  return orRefused((): TestOutcome => {
    const reveal = [...new Set(outputs.values())].map((output) => ({ output, to: "client" as const }));
    const state = shareInputs(runPass(rewritePass(), split({ module, weights, sources }, { reveal })));
    const fed = new Map<ValueId, Tensor>([...inputs].map(([name, id]) => [id, exact.get(name)!]));
    const quantized = runPass(quantizePass({ calibration: calibrate(state, [fed]) }), state);
    const program = runPass(schedulePass, runPass(selectPass({ setting: "2pc-dealer" }), quantized));
    const bound = errorBound(program.module, program.weights, fed, { rounding: "off" });
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
 * Replaces shared values and weights by those before rounding to their scale. The difference to a run on rounded ones is
 * the effect of the rounding.
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

/** Sets of known inputs that are tried before the first refusal counts. */
const maxAttempts = 12;

/** With as few known inputs as the parties' program allows; undefined where no output is secret. */
function sharedResult(test: NodeTest, alwaysKnown: readonly string[], exact: Values): NodeResult["secure"] {
  let first: NodeResult["secure"];
  let tried = 0;
  for (const attempt of importAttempts(test, "shared", alwaysKnown)) {
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
  const result = orRefused<Omit<NodeResult, "operators">>(
    () => testResult(readNodeTest(folder)),
    // The model's own diagnostics are more helpful than those of its data.
    (because) => refused(model ? (diagnosticsOf(model) ?? because) : because),
  );
  return { operators: [...new Set(model?.graph.nodes.map(({ op }) => op))], ...result };
}

const diagnosticsOf = (model: OnnxModel): readonly Diagnostic[] | undefined =>
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
