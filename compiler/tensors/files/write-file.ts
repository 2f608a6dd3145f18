import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { fail } from "../../../ir/diagnostic.ts";

/** Models, students and answers may hold what only the user of this machine may see. */
const ownerOnly = 0o600;

/** Errors of a full or read-only disk name no file, so the path is added here. */
const unwritable = (path: string, error: unknown): never =>
  fail({
    code: "MRL0804",
    message: `the file cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
    at: path,
    help: "name a file in a folder that exists and that you may write to, and check the free space",
  });

/** A device or a pipe is written in place; the target of a link is replaced, not the link. */
function targetOf(path: string): { readonly target: string; readonly inPlace: boolean } {
  const present = statSync(path, { throwIfNoEntry: false });
  return present ? { target: realpathSync(path), inPlace: !present.isFile() } : { target: path, inPlace: false };
}

/**
 * Writes chunks as one file: beside it, then renamed. A failure leaves what was there, and readers of the old file keep
 * it. A chunk is made when it is its turn. @throws DiagnosticError MRL0804
 */
export function writeWholeFile(path: string, ...chunks: readonly (Uint8Array | (() => Uint8Array))[]): void {
  let fresh = "";
  try {
    const { target, inPlace } = targetOf(path);
    const own = inPlace ? target : `${target}.new-${process.pid}`;
    if (!inPlace) fresh = own;
    writeChunks(own, chunks);
    if (!inPlace) renameSync(own, target);
  } catch (error) {
    if (fresh !== "") rmSync(fresh, { force: true });
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    unwritable(path, error);
  }
}

function writeChunks(path: string, chunks: readonly (Uint8Array | (() => Uint8Array))[]): void {
  const fd = openSync(path, "w", ownerOnly);
  try {
    // An earlier file of this name keeps its mode; a device or a pipe is not ours to change.
    if (fstatSync(fd).isFile()) fchmodSync(fd, ownerOnly);
    for (const chunk of chunks) {
      const bytes = typeof chunk === "function" ? chunk() : chunk;
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    }
  } finally {
    closeSync(fd);
  }
}

/** What a probe writes: a disk without room for a block is full. */
const probeBytes = 4096;

/**
 * Whether a file can be written there, before long work: writes a small file beside it, as `writeWholeFile` will, and
 * removes it. A right that seems to be there, a disk that is full and one that is read-only show only by trying.
 * @throws DiagnosticError MRL0804
 */
export function requireWritable(path: string): void {
  let probe = "";
  try {
    const present = statSync(path, { throwIfNoEntry: false });
    if (present?.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    if (present) accessSync(path, constants.W_OK);
    const { target, inPlace } = targetOf(path);
    if (inPlace) return;
    probe = `${target}.try-${process.pid}`;
    writeChunks(probe, [new Uint8Array(probeBytes)]);
  } catch (error) {
    unwritable(path, error);
  } finally {
    if (probe !== "") rmSync(probe, { force: true });
  }
}
