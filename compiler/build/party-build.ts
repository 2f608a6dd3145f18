import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Role } from "../../runtime/core/index.ts";
import { type LoadedParty, loadParty, readManifest } from "./load-party.ts";
import type { Manifest } from "./manifest.ts";

/** What one party has of a build. */
export interface PartyBuild extends LoadedParty {
  /** Its folder. */
  readonly dir: string;
}

/** What a session of a part opens with: its programs and its weights. */
export const sessionOptions = ({ program, decode, buckets, tensors }: PartyBuild) => ({
  program,
  ...(decode && { decodeProgram: decode }),
  shorterPrefills: buckets,
  tensors,
});

/** A party's folder, given as itself or as the build directory around it. */
export function partyFolder(dir: string, role: Role): string {
  const inside = join(dir, role);
  return existsSync(join(inside, "manifest.json")) ? inside : dir;
}

export const loadPartyBuild = async (dir: string, role: Role): Promise<PartyBuild> => ({
  dir: partyFolder(dir, role),
  ...(await loadParty(dir, role)),
});

/** The manifest of a build directory or of one party's folder: the same in all of them. */
export const loadManifest = (dir: string): Manifest => readManifest(join(dir, "manifest.json"));
