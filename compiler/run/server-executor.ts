import { join } from "node:path";
import type { IntTensor } from "../../runtime/ring/index.ts";
import type { PartyBuild } from "../build/index.ts";
import type { ClientOptions } from "./client-executor.ts";
import type { NamedTensors } from "./client-layers.ts";
import type { Residues } from "./handed-shares.ts";
import { openOnnxSession } from "./onnx-session.ts";
import { openedTensors } from "./opened-tensors.ts";
import { type QuantizedInputs, quantizeInputs } from "./quantize-inputs.ts";

/** What the server computes alone, from inputs of its own. */
export interface ServerExecutor {
  /**
   * Runs the server's own layers, and quantizes the tensors that it shares. Nothing was sent before. `residues`: its
   * halves of inputs that arrive as shares, by input of the program.
   * @throws DiagnosticError for inputs that the graph, shapes or rings do not accept
   */
  readonly prepare: (inputs: NamedTensors, residues?: Residues) => Promise<QuantizedInputs>;
  readonly release: () => Promise<void>;
}

/** Opens the server's own layers: private.onnx of its folder, if it computes anything before it shares. */
export async function openServerExecutor(
  { dir, manifest, program }: PartyBuild,
  { clamp = false }: ClientOptions = {},
): Promise<ServerExecutor> {
  const cuts = manifest.serverCuts ?? [];
  const layers = await openOnnxSession(join(dir, "private.onnx"));
  return {
    prepare: async (inputs, residues = new Map()) => {
      const computed = await layers.run(inputs);
      // A cut may be an input of the model.
      const found = cuts.map(({ tensor }) => [tensor, (computed.get(tensor) ?? inputs.get(tensor)!).tensor] as const);
      const { shared, clamped } = quantizeInputs({ cuts }, program, new Map(found), clamp, inputs);
      return { shared: { ...shared, ...Object.fromEntries(residues) }, clamped };
    },
    release: layers.release,
  };
}

/** The outputs opened to the server, by their names in the model. */
export const revealedToServer = (
  { manifest, program }: Pick<PartyBuild, "manifest" | "program">,
  revealed: ReadonlyMap<string, IntTensor>,
): NamedTensors => new Map(openedTensors("server", manifest.reveals, program, revealed));
