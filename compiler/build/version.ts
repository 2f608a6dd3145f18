import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The version of this package. Its package.json is above the sources when they run as they are, and above dist. */
export const version: string = versionAbove(dirname(fileURLToPath(import.meta.url)));

function versionAbove(folder: string): string {
  const file = join(folder, "package.json");
  if (existsSync(file)) return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  if (dirname(folder) === folder) throw new Error("package.json of marillc is not above its own files");
  return versionAbove(dirname(folder));
}
