import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { type Diagnostic, fail } from "../../../ir/diagnostic.ts";
import { isWithinModelFolder } from "./model-folder.ts";

/** What a diagnostic says beyond the file itself. */
export interface ReadErrorContext {
  readonly at: string;
  readonly code: string;
}

/** One readSync moves at most 2^31 - 1 bytes. */
const chunkBytes = 2 ** 30;
/** Far above any tensor of a model; Node's buffers end at 4 GiB. */
const rangeBytes = 2 ** 32 - 2;

/**
 * Opens a regular file for the duration of `use`: no device, no pipe, no link that appeared after the path was
 * resolved.
 */
function withFile<T>(
  path: string,
  context: ReadErrorContext,
  use: (fd: number, size: number) => T,
  follow: boolean,
): T {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW));
  } catch (error) {
    return fail({ code: context.code, message: `the file cannot be opened: ${reason(error)}`, at: context.at });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) fail({ code: context.code, message: "this is not a regular file", at: context.at });
    return use(fd, stat.size);
  } finally {
    closeSync(fd);
  }
}

function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "it does not exist";
  if (code === "EACCES") return "permission denied";
  return code ?? "unknown reason";
}

/** Reads exactly these bytes. A path that was resolved and checked must not have become a link since. */
export function readFileRange(
  path: string,
  offset: number,
  length: number,
  context: ReadErrorContext,
  links: "follow" | "refuse",
): Uint8Array {
  return withFile(path, context, (fd, size) => readAt(fd, size, offset, length, context), links === "follow");
}

/** Reads a whole file of at most `limit` bytes. */
export function readWholeFile(path: string, limit: number, code = "MRL0101"): Uint8Array {
  const context = { at: path, code };
  return withFile(
    path,
    context,
    (fd, size) => {
      if (size > limit) fail({ code, message: `the file has ${size} bytes; the limit is ${limit}`, at: path });
      return readAt(fd, size, 0, size, context);
    },
    true,
  );
}

/** The size of a file in bytes, and its first `length` bytes (fewer in a shorter file). */
export function readFileHead(path: string, length: number, code: string): { size: number; head: Uint8Array } {
  const context = { at: path, code };
  return withFile(
    path,
    context,
    (fd, size) => {
      return { size, head: readAt(fd, size, 0, Math.min(size, length), context) };
    },
    true,
  );
}

function readAt(fd: number, size: number, offset: number, length: number, context: ReadErrorContext): Uint8Array {
  if (offset + length > size) {
    fail({
      code: context.code,
      message: `expected bytes ${offset} to ${offset + length}; the file ends at ${size}`,
      at: context.at,
      help: "the file may be truncated: copy or download it again",
    });
  }
  if (length > rangeBytes) {
    fail({ code: context.code, message: `a tensor of ${length} bytes exceeds ${rangeBytes}`, at: context.at });
  }
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = readSync(fd, bytes, done, Math.min(chunkBytes, length - done), offset + done);
    if (count === 0) fail({ code: context.code, message: "the file shrank while it was read", at: context.at });
    done += count;
  }
  return bytes;
}

/** Refuses a file of a model's folder when its link leads out of the folder. A missing file passes. */
export function refuseForeignLink(folder: string, path: string): void {
  if (isWithinModelFolder(folder, path) !== false) return;
  fail({
    code: "MRL0135",
    message: "the file is a link to a target outside its folder",
    at: path,
    help: "copy the file into the folder, or give the path of the file itself",
  });
}

/** Every name after its first occurrence, in order. */
export function findDuplicates(names: Iterable<string>): string[] {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const name of names) (seen.has(name) ? twice : seen).add(name);
  return [...twice];
}

/** A diagnostic about one file. */
export function fileDiagnostic(code: string, at: string, message: string, help?: string): Diagnostic {
  return help === undefined ? { code, message, at } : { code, message, at, help };
}
