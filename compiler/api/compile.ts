import type { Manifest } from "../build/index.ts";
import { writeBuild } from "../build/index.ts";
import { buildJson } from "../report/text/index.ts";
import { type ModelOptions, resolveModelOptions } from "./model-options.ts";

/** Loaded when something is compiled: emitting programs needs TypeScript, and nothing else should wait for that. */
export const loadCompiler = (): Promise<typeof import("../compile/index.ts")> => import("../compile/index.ts");

export interface CompileOptions extends ModelOptions {
  /** The build directory. It is written as a whole; a folder that holds anything but an earlier build is refused. */
  readonly output: string;
}

type Promised = "name" | "setting" | "security" | "caveats" | "truncation" | "chosenFor" | "inexact" | "programHash";

/** What `compile --json` prints, and the manifest. */
export interface CompileResult extends Pick<Manifest, Promised | "artefactsHash" | "predicted"> {
  readonly schema: 1;
  /** The build directory, as `output` named it. */
  readonly directory: string;
  /** Files by their path in the build, in bytes. */
  readonly files: Readonly<Record<string, number>>;
  /** Outputs of the model that no reveal names. */
  readonly notComputed: readonly string[];
  readonly manifest: Manifest;
  /** Why text is not generated position by position, where it is not. */
  readonly noCache?: string;
  /** Why the client computes its own layers over the whole window for each token, where it does. */
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
 * @throws DiagnosticError with everything that stands against the model or the options.
 */
export async function compile({ output, ...model }: CompileOptions): Promise<CompileResult> {
  const options = resolveModelOptions(model);
  const { compileModel } = await loadCompiler();
  const { manifest, files, decode, clientDecode, omittedOutputs } = compileModel(options);
  writeBuild(output, files);
  const sizes = [...files].map(([path, bytes]): [string, number] => [path, bytes.length]);
  return {
    ...buildJson(manifest, sizes, output),
    schema: 1,
    notComputed: omittedOutputs,
    manifest,
    ...(decode && "code" in decode && { noCache: decode.message }),
    ...(clientDecode && "code" in clientDecode && { noClientSteps: clientDecode.message }),
  };
}
