import { realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";

/**
 * Whether a path, after resolving links, lies where the files of one model may lie: in the model's folder or, in a
 * Hugging Face cache, in the `blobs` folder beside its `snapshots`. A downloaded folder may hold links to anything.
 * Undefined when the path does not exist.
 */
export function isWithinModelFolder(folder: string, path: string): boolean | undefined {
  let own: string;
  let real: string;
  try {
    own = realpathSync(folder);
    real = realpathSync(path);
  } catch {
    return undefined;
  }
  return allowedFolders(own).some((each) => real.startsWith(each.endsWith(sep) ? each : each + sep));
}

/** `models--a--b/snapshots/<revision>` and, in such a cache, `models--a--b/blobs`. */
function allowedFolders(folder: string): readonly string[] {
  const parent = dirname(folder);
  return basename(parent) === "snapshots" ? [folder, join(dirname(parent), "blobs")] : [folder];
}
