import { loadPartyBuild } from "../../compiler/build/index.ts";
import { errorBounds } from "../../compiler/report/cost/index.ts";
import {
  checkInputs,
  dequantizeOutput,
  loadPlain,
  openClientExecutor,
  readInputFiles,
} from "../../compiler/run/index.ts";

/** Largest error that a build's revealed outputs may have on this input, from scales, depth and declared errors. */
export const declaredError = async (build: string, ...files: readonly string[]): Promise<number> =>
  Math.max(...(await declaredErrors(build, ...files)).values());

/** The same for each revealed tensor, by its ONNX name. */
export async function declaredErrors(build: string, ...files: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const client = await loadPartyBuild(build, "client");
  const part = await openClientExecutor(client);
  const { shared } = await part.prepare(checkInputs(client.manifest, readInputFiles(files)));
  await part.release();
  const { module, weights } = await loadPlain(build);
  const inputs = Object.entries(shared).map(
    ([id, integers]) => [id, dequantizeOutput(integers, client.program.inputs[id]!.scale)] as const,
  );
  const bounds = errorBounds(module, weights, new Map(inputs));
  return new Map(client.manifest.reveals.map(({ value, tensor }) => [tensor, bounds.get(value)!]));
}
