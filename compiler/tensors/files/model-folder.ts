import { realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";

/**
 * Whether a path, links followed, lies where the files of one model lie: in their folder, or, in a Hugging Face cache,
 * in the `blobs` beside the `snapshots` that the folder belongs to. A folder that came over the network may hold links
 * to anything. Undefined when the path leads to nothing.
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

/** `models--a--b/snapshots/<revision>` and, where it is one, `models--a--b/blobs`. */
function allowedFolders(folder: string): readonly string[] {
  const parent = dirname(folder);
  return basename(parent) === "snapshots" ? [folder, join(dirname(parent), "blobs")] : [folder];
}
