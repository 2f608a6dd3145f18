import { errorBounds, type OutputBounds, outputBounds } from "../../compiler/accuracy/index.ts";
import { loadManifest } from "../../compiler/build/index.ts";
import { checkInputs, openPlain, type PlainProgram, readInputFiles } from "../../compiler/run/index.ts";
import type { TypedTensor } from "../../compiler/tensors/index.ts";

/** Largest error that a build's revealed outputs may have on this input, from scales, depth and declared errors. */
export const declaredError = async (build: string, ...files: readonly string[]): Promise<number> =>
  Math.max(...(await declaredErrors(build, ...files)).values());

/** The same for each revealed tensor, by its ONNX name. */
export async function declaredErrors(build: string, ...files: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const manifest = loadManifest(build);
  const plain = await openPlain(build);
  const bounds = await declaredOf(plain, checkInputs(manifest, readInputFiles(files), "both"));
  await plain.release();
  return new Map(manifest.reveals.map(({ value, tensor }) => [tensor, bounds.get(value)!]));
}

/** The same for each revealed value of an open program. */
export const declaredOf = async (
  plain: PlainProgram,
  inputs: ReadonlyMap<string, TypedTensor>,
): Promise<ReadonlyMap<string, number>> => errorBounds(plain.module, plain.weights, await plain.shared(inputs));

/** The same with what decisions within their distances explain. */
export const boundsOf = async (
  plain: PlainProgram,
  inputs: ReadonlyMap<string, TypedTensor>,
): Promise<ReadonlyMap<string, OutputBounds>> => outputBounds(plain.module, plain.weights, await plain.shared(inputs));
