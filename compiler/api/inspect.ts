import { type Module, type Stage, stages } from "../../ir/module.ts";
import { print } from "../../ir/text/print.ts";
import { loadManifest, type Manifest } from "../build/index.ts";
import { loadModel } from "../load/index.ts";
import { type ModelProvenance, modelProvenance } from "../report/text/index.ts";
import { readStudentManifest, type StudentManifest } from "../student/index.ts";
import { loadCompiler } from "./compile.ts";
import { usage } from "./errors.ts";
import { checkOptions, type Fields, required, text } from "./fields.ts";
import { type ModelOptions, modelFields, resolveModelOptions } from "./model-options.ts";

export { type Stage, stages };

export interface InspectOptions extends ModelOptions {
  /** Show the module after this pass. Default: `import`. */
  readonly stage?: Stage;
}

const inspectFields: Fields<InspectOptions> = { ...modelFields, stage: text };

/** Output of `inspect <model.onnx> --json`. */
export interface InspectResult extends ModelProvenance {
  readonly schema: 1;
  readonly stage: Stage;
  /** The module as IR text (ir/README.md). */
  readonly mir: string;
}

/**
 * Prints a model as IR after one of the passes, and reports who knows each weight and why.
 *
 * @example
 * ```ts
 * const { mir, weights } = await inspect({ model: "base.onnx", adapter: "./lora" });
 * console.log(weights.filter(({ label }) => label === "server").length, "private weights");
 * ```
 */
export async function inspect(given: InspectOptions): Promise<InspectResult> {
  checkOptions("inspect", inspectFields, given);
  const { stage = "import", ...options } = given;
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

/** Output of `inspect <build-dir> --json`: the manifest of a build, with its weights and constants. */
export interface InspectBuildResult extends Pick<Manifest, "weights" | "constants"> {
  readonly schema: 1;
  readonly manifest: Manifest;
}

/**
 * Reads the manifest of a build: roles, hashes, cut and opened values, rings, cost.
 *
 * @example
 * ```ts
 * const { manifest } = inspectBuild({ build: "build" });
 * console.log(manifest.security, manifest.reveals);
 * ```
 */
export function inspectBuild(options: InspectBuildOptions): InspectBuildResult {
  checkOptions<InspectBuildOptions>("inspectBuild", { build: required(text) }, options);
  const manifest = loadManifest(options.build);
  const { weights, constants } = manifest;
  return { schema: 1, manifest, weights, constants };
}

export interface InspectStudentOptions {
  /** Path of the `student.manifest.json` that `rewrite` wrote. */
  readonly manifest: string;
}

/** Output of `inspect <student.manifest.json> --json`. */
export interface InspectStudentResult {
  readonly schema: 1;
  readonly manifest: StudentManifest;
}

/** Reads the manifest of a student: what was changed, and what stays public. */
export function inspectStudent(options: InspectStudentOptions): InspectStudentResult {
  checkOptions<InspectStudentOptions>("inspectStudent", { manifest: required(text) }, options);
  return { schema: 1, manifest: readStudentManifest(options.manifest) };
}
