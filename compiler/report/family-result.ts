import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiagnosticError, throwIfAny } from "../../ir/diagnostic.ts";
import { opsOf } from "../../ir/module.ts";
import { verify } from "../../ir/verify.ts";
import type { Tensor } from "../../ir/weights.ts";
import { writeBuild } from "../build-dir.ts";
import { compileModel } from "../compile.ts";
import { importModel } from "../onnx/import.ts";
import { loadPart } from "../run/build-parts.ts";
import { checkInputs, readInputFiles } from "../run/inputs.ts";
import { openLocal } from "../run/local.ts";
import { declaredErrors } from "./declared-error.ts";
import { distance, type Outcome } from "./node-result.ts";
import { dimsOf, filesOf, type RecordedModel, readRecordedModel, runOn, singlePrecision } from "./recorded-model.ts";

export interface FamilyResult {
  /** The import, on real numbers. */
  readonly imported: Outcome;
  /** How many operators of each name the import finds; none where it is refused. */
  readonly operators: Readonly<Record<string, number>>;
  /** All weights private, three parties. Absent where the import is no success. */
  readonly secure?: Outcome;
}

type Allowed = (output: string, expected: Tensor) => number | string;

/** Largest error of the outputs beside the tolerance, or which output differs. */
function compare({ outputs }: RecordedModel, found: ReadonlyMap<string, Tensor>, allowed: Allowed): Outcome {
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

/** Diagnostics are an answer here; whatever else is thrown is a fault. */
async function refusable(attempt: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof DiagnosticError) return { kind: "refused", because: error.diagnostics };
    throw error;
  }
}

/** The imported module in real numbers, within what single precision leaves open in the reference. */
export function importedResult(recorded: RecordedModel): Pick<FamilyResult, "imported" | "operators"> {
  const imported = importModel(recorded.model, { dims: dimsOf(recorded) });
  throwIfAny(verify(imported.module));
  const allowed = singlePrecision(imported, recorded.inputs);
  const operators: Record<string, number> = {};
  for (const { name } of opsOf(imported.module)) operators[name] = (operators[name] ?? 0) + 1;
  const outcome = compare(recorded, runOn(imported, recorded.inputs), (output) => allowed.get(output)!);
  return { imported: outcome, operators };
}

/** Of the largest number of an output: a bound beyond it says nothing. */
const meaningful = 1 / 4;

/** Three parties in this process, all weights private, the outputs the client's: within the error that is declared. */
export async function secureResult(recorded: RecordedModel): Promise<Outcome> {
  const { file, data, model } = recorded;
  const reveal = model.graph.outputs.map(({ name }) => ({ output: name, to: "client" as const }));
  const dims = Object.fromEntries(dimsOf(recorded));
  const inputs = filesOf(data, "input");
  const dir = mkdtempSync(join(tmpdir(), "marillc-family-"));
  try {
    // What ranges are measured with in the place of private weights; they are private none the less.
    const { files } = compileModel({ model: file, base: file, private: ["*"], reveal, calibrate: data, dims });
    writeBuild(dir, files);
    const { manifest } = await loadPart(dir, "client");
    const session = await openLocal({ dir, inProcess: true });
    const { outputs } = await session.query(checkInputs(manifest, readInputFiles(inputs)));
    await session.end();
    const bounds = await declaredErrors(dir, ...inputs);
    const found = new Map([...outputs].map(([name, { tensor }]) => [name, tensor]));
    return compare(recorded, found, (output, expected) => {
      const bound = bounds.get(output)!;
      const most = expected.data.reduce((all, x) => Math.max(all, Math.abs(x)), 0);
      return bound <= meaningful * most ? bound : `a tolerance of ${bound.toExponential(1)} says nothing`;
    });
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** One folder in the layout of the ONNX project's test data: through the import, and through the parties. */
export async function familyResult(folder: string): Promise<FamilyResult> {
  let operators: FamilyResult["operators"] = {};
  let recorded: RecordedModel | undefined;
  const imported = await refusable(async () => {
    recorded = readRecordedModel(folder);
    const result = importedResult(recorded);
    operators = result.operators;
    return result.imported;
  });
  if (imported.kind !== "passes" || !recorded) return { imported, operators };
  const model = recorded;
  return { imported, operators, secure: await refusable(() => secureResult(model)) };
}
