import { errorBound } from "../../compiler/report/error-bound.ts";
import { loadPart } from "../../compiler/run/build-parts.ts";
import { openClientPart } from "../../compiler/run/client-part.ts";
import { checkInputs, readInputFiles } from "../../compiler/run/inputs.ts";
import { loadPlain } from "../../compiler/run/plain.ts";
import { dequantise } from "../../compiler/run/quantise.ts";

/** How far a build's revealed outputs may be from exact ones on this input: from scales, depth and declared errors. */
export async function declaredError(build: string, ...files: readonly string[]): Promise<number> {
  const client = await loadPart(build, "client");
  const part = await openClientPart(client);
  const { shared } = await part.before(checkInputs(client.manifest, readInputFiles(files)));
  await part.release();
  const { module, weights } = await loadPlain(build);
  const inputs = Object.entries(shared).map(
    ([id, integers]) => [id, dequantise(integers, client.program.inputs[id]!.scale)] as const,
  );
  return errorBound(module, weights, new Map(inputs));
}

export const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (x, k) => Math.abs(x - b[k]!)));
