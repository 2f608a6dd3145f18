import type { Diagnostic } from "../../ir/diagnostic.ts";
import { checkBuildFolder, type Manifest, stageBuild } from "../build/index.ts";
import { buildJson } from "../report/text/index.ts";
import type { OnnxComparison, VerifiedOutput } from "../run/index.ts";
import { writeWholeFile } from "../tensors/files/index.ts";
import { checkOptions, type Fields, flag, required, text } from "./fields.ts";
import { prepareOutput } from "./inputs.ts";
import { hasPrecision, type ModelOptions, modelFields, resolveModelOptions } from "./model-options.ts";
import { type Guardian, isVerified, unguarded, verifyStaged } from "./verify.ts";

/** A dynamic import: emitting programs loads TypeScript, which other commands do not need. */
export const loadCompiler = (): Promise<typeof import("../compile/index.ts")> => import("../compile/index.ts");

export interface CompileOptions extends ModelOptions {
  /** The build directory. Its content is replaced; a folder that holds anything but an earlier build is refused. */
  readonly output: string;
  /**
   * Run the build on calibration samples and compare its answers with float64, before it replaces an earlier one.
   * Default: for models that take about a second.
   */
  readonly verify?: boolean;
  /** Write the bounds of every shared value there, for `ranges` of a later compilation. The file is public. */
  readonly writeRanges?: string;
}

const compileFields: Fields<CompileOptions> = {
  ...modelFields,
  output: required(text),
  verify: flag,
  writeRanges: text,
};

type Promised = "name" | "setting" | "security" | "caveats" | "truncation" | "chosenFor" | "inexact" | "programHash";

/** Output of `compile --json`, with the manifest. */
export interface CompileResult extends Pick<Manifest, Promised | "artefactsHash" | "predicted"> {
  readonly schema: 1;
  /** The build directory: `output`. */
  readonly directory: string;
  /** Sizes of the files in bytes, by path in the build. */
  readonly files: Readonly<Record<string, number>>;
  /** Outputs of the model that `reveal` does not name. */
  readonly notComputed: readonly string[];
  readonly manifest: Manifest;
  /** Errors of each output on calibration samples beside the declared ones, if the build was verified. */
  readonly verified?: readonly VerifiedOutput[];
  /** What the model's float64 answers were compared with, if the build was verified. */
  readonly onnxRuntime?: OnnxComparison;
  /** Why `generate` cannot cache keys and values, if it cannot. */
  readonly noCache?: string;
  /** Why the client recomputes its own layers over the full context for each token, if it does. */
  readonly noClientSteps?: string;
}

/**
 * Compiles a model to one program for each party, and writes the build directory.
 *
 * @example
 * ```ts
 * const build = await compile({
 *   model: "base.onnx",
 *   adapter: "./lora",
 *   reveal: { logits: "client" },
 *   calibrate: "prompts.jsonl",
 *   output: "build",
 * });
 * console.log(build.predicted.online.rounds);
 * ```
 * @throws DiagnosticError with all blockers of the model and problems of the options
 */
export async function compile(given: CompileOptions): Promise<CompileResult> {
  return await compileGuarded(given, unguarded);
}

/** The same for a process that a signal may end: nothing of an unfinished build stays. */
export async function compileGuarded(given: CompileOptions, guardian: Guardian): Promise<CompileResult> {
  checkOptions("compile", compileFields, given);
  const { output, verify, writeRanges, ...model } = given;
  const options = resolveModelOptions(model);
  checkBuildFolder(output);
  prepareOutput(writeRanges);
  const { compileModel } = await loadCompiler();
  const compilation = compileModel(options, {
    declare: true,
    isVerified: (tried) => isVerified(tried, verify),
  });
  const { manifest, files, decode, clientDecode, omittedOutputs } = compilation;
  const staged = stageBuild(output, files);
  const verification = await verifyStaged(staged, compilation, { verify, guardian, byHand: hasPrecision(model) });
  staged.commit();
  if (writeRanges !== undefined) writeWholeFile(writeRanges, new TextEncoder().encode(compilation.ranges));
  const sizes = [...files].map(([path, bytes]): [string, number] => [path, bytes.length]);
  return {
    ...buildJson(manifest, sizes, output),
    schema: 1,
    notComputed: omittedOutputs,
    manifest,
    ...verification,
    ...(decode && "code" in decode && { noCache: placed(decode) }),
    ...(clientDecode && "code" in clientDecode && { noClientSteps: placed(clientDecode) }),
  };
}

/** A reason with the node that it is about. */
const placed = ({ message, at = "" }: Diagnostic): string => (at === "" ? message : `${message} (${at})`);
