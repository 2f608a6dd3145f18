import { join } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import { adapterNames, type LoadedParty, loadParty, readManifest } from "./load-party.ts";
import type { Manifest } from "./manifest.ts";
import { partyFolder } from "./party-folder.ts";

/** What one party holds of a build. */
export type PartyBuild = LoadedParty;

/** Programs and weights that a party's session opens with. */
export const sessionOptions = ({ program, decode, buckets, tensors }: PartyBuild) => ({
  program,
  ...(decode && { decodeProgram: decode }),
  shorterPrefills: buckets,
  tensors,
});

/** `adapter`: the name of the one that the server uses, where it has several. */
export const loadPartyBuild = (dir: string, role: Role, adapter?: string): Promise<PartyBuild> =>
  loadParty(dir, role, adapter);

/** Reads the manifest of a build directory or of one party's folder: it is the same in all of them. */
export const loadManifest = (dir: string): Manifest => readManifest(join(dir, "manifest.json"));

/**
 * The adapter that a session of the server uses: the only set of weights, or the one that was chosen by name. There is no
 * default: a wrong adapter would answer in silence.
 * @throws DiagnosticError MRL0626
 */
export function chosenAdapter(dir: string, adapter: string | undefined): string | undefined {
  const names = adapterNames(partyFolder(dir, "server"));
  if (adapter === undefined ? names.length === 0 : names.includes(adapter)) return adapter;
  const found = adapter === undefined ? "none" : JSON.stringify(adapter);
  return fail({
    code: "MRL0626",
    message:
      names.length === 0
        ? `this build has one set of weights, found --adapter ${found}`
        : `expected the name of an adapter of this build: ${names.join(", ")}; found ${found}`,
    at: dir,
    help: names.length === 0 ? "leave out --adapter" : `choose one: --adapter ${names[0]}`,
  });
}
