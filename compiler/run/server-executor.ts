import type { IntTensor } from "../../runtime/ring/index.ts";
import type { PartyBuild } from "../build/index.ts";
import type { NamedTensors } from "./client-layers.ts";
import { openedTensors } from "./opened-tensors.ts";

/** The outputs opened to the server, by their names in the model. */
export const revealedToServer = (
  { manifest, program }: Pick<PartyBuild, "manifest" | "program">,
  revealed: ReadonlyMap<string, IntTensor>,
): NamedTensors => new Map(openedTensors("server", manifest.reveals, program, revealed));
