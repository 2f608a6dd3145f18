import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type ModelOptions, resolveModelOptions } from "../../compiler/api/model-options.ts";
import { loadPartyBuild } from "../../compiler/build/party-build.ts";
import { writeBuild } from "../../compiler/build/write-build.ts";
import { type Compilation, compileModel } from "../../compiler/compile/compile.ts";
import type { ImportMode } from "../../compiler/load/load-model.ts";
import { checkInputs, readInputFiles } from "../../compiler/run/input-files.ts";
import { type LocalReport, openLocal } from "../../compiler/run/local-session.ts";
import type { Tensor } from "../../ir/tensor.ts";

/** Compiles into a build directory; with `canonical: false` without looking for norms, activations and attention. */
export function build(dir: string, options: ModelOptions, how: Pick<ImportMode, "fuse"> = {}): Compilation {
  const artifacts = compileModel(resolveModelOptions(options), how);
  writeBuild(dir, artifacts.files);
  return artifacts;
}

/** One query of a build by three parties in this process; ends with predicted traffic held against measured. */
export async function queryOnce(
  dir: string,
  inputs: readonly string[],
): Promise<{ readonly outputs: ReadonlyMap<string, Tensor>; readonly report: LocalReport }> {
  const { manifest } = await loadPartyBuild(dir, "client");
  const session = await openLocal({ dir, inProcess: true });
  const { outputs } = await session.query(checkInputs(manifest, readInputFiles(inputs)));
  const report = await session.end();
  return { outputs: new Map([...outputs].map(([name, { tensor }]) => [name, tensor])), report };
}

/** Input files of a folder of ONNX test data. */
export const inputsOf = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => /^input_\d+\.pb$/.test(name))
    .map((name) => join(folder, name));
