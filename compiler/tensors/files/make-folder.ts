import { existsSync, mkdirSync, mkdtempSync, rmdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/**
 * Makes a folder and those above it that are missing. The recursive mkdir of Node takes ENOENT for a missing parent and
 * tries again without end where the parent is there but takes no folders, as /proc does.
 * @throws the error of the file system, which names the path
 */
export function makeFolder(path: string, mode = 0o777): void {
  if (isFolder(path)) return;
  const parent = dirname(resolve(path));
  if (!existsSync(parent)) makeFolder(parent, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!isFolder(path)) throw error;
  }
}

/**
 * Whether a folder can be made at this path, or one put in its place, before long work: tries a folder beside it, in
 * the nearest folder that exists, and removes it.
 * @throws the error of the file system, which names a path
 */
export function requireFolder(path: string): void {
  let above = dirname(resolve(path));
  while (!existsSync(above)) above = dirname(above);
  rmdirSync(mkdtempSync(join(above, ".marillc-")));
}
