import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveModelOptions } from "../../compiler/api/index.ts";
import { loadPartyBuild, type Manifest, writeBuild } from "../../compiler/build/index.ts";
import { compileModel } from "../../compiler/compile/index.ts";
import { selectOutputs } from "../../compiler/load/index.ts";
import type { OnnxModel } from "../../compiler/onnx/format/index.ts";
import { importModel } from "../../compiler/onnx/import/index.ts";
import { bindConstantInputs } from "../../compiler/onnx/normalize/index.ts";
import { checkInputs, openLocal, readInputFiles } from "../../compiler/run/index.ts";
import { DiagnosticError, throwIfAny } from "../../ir/diagnostic.ts";
import { opsOf } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { verify } from "../../ir/verify.ts";
import type { Reveal } from "../../passes/1-split/index.ts";
import { defaultPrecision } from "../../passes/4-quantize/index.ts";
import { declaredErrors } from "./declared-error.ts";
import { distance, type TestOutcome } from "./node-result.ts";
import {
  dataFiles,
  dimsOf,
  evaluateRecorded,
  type RecordedModel,
  readRecordedModel,
  referencePrecision,
} from "./recorded-model.ts";

export interface FamilyResult {
  /** The imported module on real numbers. */
  readonly imported: TestOutcome;
  /** Number of operators of each name in the imported module; empty where the import is refused. */
  readonly operators: Readonly<Record<string, number>>;
  /** Three parties, all weights private. Absent where the import does not pass, or where this was not requested. */
  readonly secure?: SecureOutcome;
}

/** The cost of one query of three parties. */
export interface SecureRun {
  /** Fractional bits of private weights. */
  readonly weight: number;
  readonly rounds: number;
  /** Bytes of a query between client and server, bytes of a query from the dealer, and bytes of the setup. */
  readonly online: number;
  readonly dealt: number;
  readonly setup: number;
  /** With all three parties in one thread. */
  readonly seconds: readonly [compile: number, prepare: number, answer: number];
}
export type SecureOutcome = TestOutcome & { readonly run?: SecureRun };

type ToleranceOf = (output: string, expected: Tensor) => number | string;

/** Largest error and tolerance of the outputs, or the first output that differs. */
function compare({ outputs }: RecordedModel, found: ReadonlyMap<string, Tensor>, allowed: ToleranceOf): TestOutcome {
  let [error, tolerance] = [0, 0];
  for (const [name, expected] of outputs) {
    const apart = distance(found.get(name)!, expected);
    const bound = allowed(name, expected);
    if (typeof bound === "string") return { kind: "differs", because: `${name}: ${bound}` };
    if (!(apart <= bound)) {
      return {
        kind: "differs",
        because: `${name}: off by ${apart.toExponential(1)}, tolerance ${bound.toExponential(1)}`,
      };
    }
    [error, tolerance] = [Math.max(error, apart), Math.max(tolerance, bound)];
  }
  return { kind: "passes", error, tolerance };
}

/** A refusal is a result here; any other error is a fault. */
async function orRefused<T extends TestOutcome>(attempt: () => Promise<T>): Promise<T | TestOutcome> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof DiagnosticError) return { kind: "refused", because: error.diagnostics };
    throw error;
  }
}

/** Every recorded output, to the client. */
const revealsOf = ({ outputs }: RecordedModel): readonly Reveal[] =>
  [...outputs.keys()].map((output) => ({ output, to: "client" }));

function withBoundInputs(recorded: RecordedModel): OnnxModel {
  return bindConstantInputs(
    selectOutputs(recorded.model, revealsOf(recorded)).model,
    dimsOf(recorded),
    recorded.fixedInputs,
  );
}

/** The imported module on real numbers, within the rounding that the model's own precision has in the reference. */
export function importedResult(recorded: RecordedModel): Pick<FamilyResult, "imported" | "operators"> {
  const imported = importModel(withBoundInputs(recorded), { dims: dimsOf(recorded) });
  throwIfAny(verify(imported.module));
  const allowed = referencePrecision(imported, recorded);
  const operators: Record<string, number> = {};
  for (const { name } of opsOf(imported.module)) operators[name] = (operators[name] ?? 0) + 1;
  const outcome = compare(recorded, evaluateRecorded(imported, recorded.inputs), (output) => allowed.get(output)!);
  return { imported: outcome, operators };
}

/** Part of an output's largest value. Agreement within a larger bound is not meaningful. */
const maxBound = 1 / 4;

/** The recorded inputs that a query takes: inputs bound to a constant are not among them. */
const queryInputsOf = (data: string, { inputs }: Manifest): readonly string[] =>
  dataFiles(data, "input").filter((file) =>
    [...readInputFiles([file]).keys()].every((each) => inputs.some(({ name }) => name === each)),
  );

/** Fractional bits of private weights: deep and wide networks need more than the default. */
const weightPrecisions = [defaultPrecision.weight, defaultPrecision.weight + 2];

/**
 * Three parties in this process with all weights private, and outputs to the client, within the declared error. The
 * first precision whose declared error is meaningful counts.
 */
export async function secureResult(recorded: RecordedModel): Promise<SecureOutcome> {
  const outcomes: SecureOutcome[] = [];
  for (const weight of weightPrecisions) {
    const outcome = await orRefused(() => secureAt(recorded, weight));
    if (outcome.kind === "passes") return outcome;
    outcomes.push(outcome);
    if (outcome.kind === "refused") break;
  }
  return outcomes[0]!;
}

async function secureAt(recorded: RecordedModel, weight: number): Promise<SecureOutcome> {
  const { file, data } = recorded;
  const reveal = Object.fromEntries([...recorded.outputs.keys()].map((name) => [name, "client" as const]));
  const dims = Object.fromEntries(dimsOf(recorded));
  const dir = mkdtempSync(join(tmpdir(), "marillc-family-"));
  try {
    const started = performance.now();
    // The base is the model itself: ranges are measured on its values, and all weights are still private.
    const options = { model: file, base: file, private: ["*"], reveal, calibrate: data, dims, precision: { weight } };
    const { files } = compileModel(
      resolveModelOptions({ ...options, fixed: Object.fromEntries(recorded.fixedInputs) }),
    );
    writeBuild(dir, files);
    const { manifest } = await loadPartyBuild(dir, "client");
    const compiled = performance.now() - started;
    const inputs = queryInputsOf(data, manifest);
    const bounds = await declaredErrors(dir, ...inputs);
    const allowed: ToleranceOf = (output, expected) => {
      const bound = bounds.get(output)!;
      const most = expected.data.reduce((all, x) => Math.max(all, Math.abs(x)), 0);
      return bound <= maxBound * most ? bound : `a tolerance of ${bound.toExponential(1)} is not meaningful`;
    };
    // This needs no run: the bounds do not depend on the parties' results.
    const bounded = [...recorded.outputs].map(([name, expected]) => [name, allowed(name, expected)] as const);
    const first = bounded.find(([, bound]) => typeof bound === "string");
    if (first) return { kind: "differs", because: first.join(": ") };
    const session = await openLocal({ dir, inProcess: true });
    const { outputs, measured, seconds } = await session.query(checkInputs(manifest, readInputFiles(inputs)));
    const total = await session.end();
    const found = new Map([...outputs].map(([name, { tensor }]) => [name, tensor]));
    const { rounds, bytes } = measured;
    const dealt = bytes["dealer→client"] + bytes["dealer→server"];
    const sent = Object.values(bytes).reduce((sum, each) => sum + each, 0);
    const all = Object.values(total.measured.bytes).reduce((sum, each) => sum + each, 0);
    const times = [compiled / 1000, seconds.offline, seconds.online] as const;
    const run = { weight, rounds, online: sent - dealt, dealt, setup: all - sent, seconds: times };
    return { ...compare(recorded, found, allowed), run };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** One folder in the layout of the ONNX project's test data: the import, and then three parties. */
export async function familyResult(
  folder: string,
  { shares = true, fixed }: { readonly shares?: boolean; readonly fixed?: ReadonlyMap<string, number> } = {},
): Promise<FamilyResult> {
  let operators: FamilyResult["operators"] = {};
  let recorded: RecordedModel | undefined;
  const imported = await orRefused(async () => {
    recorded = readRecordedModel(folder, fixed);
    const result = importedResult(recorded);
    operators = result.operators;
    return result.imported;
  });
  if (imported.kind !== "passes" || !recorded || !shares) return { imported, operators };
  const model = recorded;
  return { imported, operators, secure: await secureResult(model) };
}
