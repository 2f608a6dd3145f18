import { type Module, type Stage, stages } from "../../ir/module.ts";
import { print } from "../../ir/text/print.ts";
import type { Manifest } from "../build/index.ts";
import { loadManifest } from "../build/index.ts";
import { loadModel } from "../load/index.ts";
import { type ModelProvenance, modelProvenance } from "../report/text/index.ts";
import type { StudentManifest } from "../student/index.ts";
import { readStudentManifest } from "../student/index.ts";
import { loadCompiler } from "./compile.ts";
import { usage } from "./errors.ts";
import { type ModelOptions, resolveModelOptions } from "./model-options.ts";

export { type Stage, stages };

export interface InspectOptions extends ModelOptions {
  /** The pass after which the model is shown. Default: `import`. */
  readonly stage?: Stage;
}

/** What `inspect <model.onnx> --json` prints. */
export interface InspectResult extends ModelProvenance {
  readonly schema: 1;
  readonly stage: Stage;
  /** The module in the compiler's own language (ir/README.md). */
  readonly mir: string;
}

/**
 * Shows a model in the compiler's own language after one of its passes, and who knows each weight and why.
 *
 * @example
 * ```ts
 * const { mir, weights } = await inspect({ model: "base.onnx", adapter: "./lora" });
 * console.log(weights.filter(({ label }) => label === "server").length, "private weights");
 * ```
 */
export async function inspect({ stage = "import", ...options }: InspectOptions): Promise<InspectResult> {
  if (!stages.includes(stage)) usage(`--stage takes one of ${stages.join(", ")}, found "${stage}"`);
  const compile = resolveModelOptions(options);
  const owned = loadModel(compile, { allowAllPublic: true });
  const shown = (module: Module): InspectResult => ({
    schema: 1,
    stage: module.stage,
    mir: print(module),
    ...modelProvenance(owned),
  });
  if (stage === "import") return shown(owned.imported.module);
  const { compileModel } = await loadCompiler();
  const { stages: made, module } = compileModel(compile);
  return shown(made.get(stage) ?? module);
}

export interface InspectBuildOptions {
  /** A build directory, or one party's folder of it. */
  readonly build: string;
}

/** What `inspect <build-dir> --json` prints: the contract of a build, and the weights and constants in it. */
export interface InspectBuildResult extends Pick<Manifest, "weights" | "constants"> {
  readonly schema: 1;
  readonly manifest: Manifest;
}

/**
 * The manifest of a build: roles, hashes, what is cut and opened, rings, cost.
 *
 * @example
 * ```ts
 * const { manifest } = inspectBuild({ build: "build" });
 * console.log(manifest.security, manifest.reveals);
 * ```
 */
export function inspectBuild({ build }: InspectBuildOptions): InspectBuildResult {
  const manifest = loadManifest(build);
  const { weights, constants } = manifest;
  return { schema: 1, manifest, weights, constants };
}

export interface InspectStudentOptions {
  /** `student.manifest.json`, as `rewrite` wrote it. */
  readonly manifest: string;
}

/** What `inspect <student.manifest.json> --json` prints. */
export interface InspectStudentResult {
  readonly schema: 1;
  readonly manifest: StudentManifest;
}

/** What a student promises: what was changed, and what stays public. */
export function inspectStudent({ manifest }: InspectStudentOptions): InspectStudentResult {
  return { schema: 1, manifest: readStudentManifest(manifest) };
}
