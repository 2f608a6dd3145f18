import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The folder with this package's package.json: above the sources when they run as they are, and above dist. */
export const packageRoot: string = rootAbove(dirname(fileURLToPath(import.meta.url)));

/** Whether this runs from dist; tests run the sources. */
export const isBuilt: boolean = import.meta.url.endsWith(".js");

/**
 * What a thread starts with: a module of this package, named by its path without an ending. scripts/bundle.mjs puts the
 * module that asks into another folder, so that it cannot name its neighbours.
 */
export const threadModule = (path: string): URL =>
  pathToFileURL(join(packageRoot, isBuilt ? `dist/${path}.js` : `${path}.ts`));

function rootAbove(folder: string): string {
  if (existsSync(join(folder, "package.json"))) return folder;
  if (dirname(folder) === folder) throw new Error("package.json of marillc is not above its own files");
  return rootAbove(dirname(folder));
}
