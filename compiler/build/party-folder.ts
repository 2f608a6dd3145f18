import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import { fileDiagnostic } from "../tensors/files/index.ts";

export const nameBuild = "name the directory that `marillc compile -o` wrote, or this party's folder in it";

/** A folder of one party has its program; a build directory has a folder for each party. */
export const isPartyFolder = (dir: string): boolean =>
  ["program.js", "program.ts"].some((file) => existsSync(join(dir, file)));

/**
 * The folder of a party, given as itself or as the build directory around it. Nothing else decides this: what `check`
 * takes for a party's folder is what every command loads.
 */
export function partyFolder(dir: string, role: Role): string {
  const inside = join(dir, role);
  return isPartyFolder(dir) || !existsSync(inside) ? dir : inside;
}

/**
 * The same, of a party that has its program and no other folder: no file beside those that were checked is ever loaded.
 * @throws DiagnosticError MRL0610
 */
export function requirePartyFolder(dir: string, role: Role): string {
  const folder = partyFolder(dir, role);
  if (!existsSync(join(folder, "program.js"))) {
    const present = statSync(dir, { throwIfNoEntry: false });
    const found = present ? "found none in this folder" : "found no such folder";
    return fail(fileDiagnostic("MRL0610", dir, `expected program.js of the ${role}, ${found}`, nameBuild));
  }
  const inner = readdirSync(folder).find((name) =>
    statSync(join(folder, name), { throwIfNoEntry: false })?.isDirectory(),
  );
  if (inner !== undefined) {
    const message = `expected the files of the ${role} alone, found the folder ${inner} beside its program`;
    fail(fileDiagnostic("MRL0610", folder, message, "run `marillc check` on it, and copy the party's folder again"));
  }
  return folder;
}
