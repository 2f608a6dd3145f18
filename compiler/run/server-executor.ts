import { join } from "node:path";
import type { IntTensor } from "../../runtime/ring/index.ts";
import type { PartyBuild } from "../build/index.ts";
import type { ClientOptions } from "./client-executor.ts";
import type { NamedTensors } from "./client-layers.ts";
import { openOnnxSession } from "./onnx-session.ts";
import { openedTensors } from "./opened-tensors.ts";
import { type QuantizedInputs, quantizeInputs } from "./quantize-inputs.ts";

/** What the server computes alone, from inputs of its own. */
export interface ServerExecutor {
  /**
   * Runs the server's own layers, and quantizes the tensors that it shares. Nothing was sent before.
   * @throws DiagnosticError for inputs that the graph, shapes or rings do not accept
   */
  readonly prepare: (inputs: NamedTensors) => Promise<QuantizedInputs>;
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
    prepare: async (inputs) => {
      const computed = await layers.run(inputs);
      // A cut may be an input of the model.
      const found = cuts.map(({ tensor }) => [tensor, (computed.get(tensor) ?? inputs.get(tensor)!).tensor] as const);
      return quantizeInputs({ cuts }, program, new Map(found), clamp);
    },
    release: layers.release,
  };
}

/** The outputs opened to the server, by their names in the model. */
export const revealedToServer = (
  { manifest, program }: Pick<PartyBuild, "manifest" | "program">,
  revealed: ReadonlyMap<string, IntTensor>,
): NamedTensors => new Map(openedTensors("server", manifest.reveals, program, revealed));
