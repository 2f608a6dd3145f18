import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Role } from "../../runtime/core/index.ts";
import { type LoadedParty, loadParty, readManifest } from "./load-party.ts";
import type { Manifest } from "./manifest.ts";

/** What one party holds of a build. */
export interface PartyBuild extends LoadedParty {
  /** The party's folder. */
  readonly dir: string;
}

/** Programs and weights that a party's session opens with. */
export const sessionOptions = ({ program, decode, buckets, tensors }: PartyBuild) => ({
  program,
  ...(decode && { decodeProgram: decode }),
  shorterPrefills: buckets,
  tensors,
});

/** Resolves a party's folder, given as itself or as the build directory around it. */
export function partyFolder(dir: string, role: Role): string {
  const inside = join(dir, role);
  return existsSync(join(inside, "manifest.json")) ? inside : dir;
}

export const loadPartyBuild = async (dir: string, role: Role): Promise<PartyBuild> => ({
  dir: partyFolder(dir, role),
  ...(await loadParty(dir, role)),
});

/** Reads the manifest of a build directory or of one party's folder: it is the same in all of them. */
export const loadManifest = (dir: string): Manifest => readManifest(join(dir, "manifest.json"));
