import { loadPartyBuild, type PartyBuild } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type ClientExecutor, type ClientOptions, openClientExecutor, type PreparedQuery } from "./client-executor.ts";
import { inputsOfParty } from "./input-files.ts";
import { quantizeShared } from "./quantize-inputs.ts";
import { openServerExecutor } from "./server-executor.ts";

/** What client and server compute alone, together: for the interpreter, which has no parties. */
export interface OwnParts extends Pick<ClientExecutor, "finish" | "release"> {
  /** The client's folder of the build. */
  readonly client: PartyBuild;
  /** Runs both parties' own layers; `shared` has what either shares, and inputs that arrive as shares in the clear. */
  readonly prepare: (inputs: ReadonlyMap<string, TypedTensor>) => Promise<PreparedQuery>;
}

/** Opens both parties' own layers of a build directory. */
export async function openOwnParts(dir: string, options: ClientOptions = {}): Promise<OwnParts> {
  const client = await loadPartyBuild(dir, "client");
  const ofClient = await openClientExecutor(client, options);
  const ofServer = await openServerExecutor(await loadPartyBuild(dir, "server"), options);
  return {
    client,
    prepare: async (inputs) => {
      const prepared = await ofClient.prepare(inputsOfParty(client.manifest, inputs, "client"));
      const own = await ofServer.prepare(inputsOfParty(client.manifest, inputs, "server"));
      const passed = quantizeShared(client, inputs, options.clamp);
      return {
        ...prepared,
        shared: { ...prepared.shared, ...own.shared, ...passed.shared },
        clamped: { ...prepared.clamped, ...own.clamped, ...passed.clamped },
      };
    },
    finish: ofClient.finish,
    release: async () => {
      await Promise.all([ofClient.release(), ofServer.release()]);
    },
  };
}
