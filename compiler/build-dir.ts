import { existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { fail } from "../ir/diagnostic.ts";
import { problem } from "./weights/store.ts";

export { type LoadedParty, loadParty, readManifest } from "./load-party.ts";

/** Text of a JSON file of a build: order as given, so the same value gives the same bytes. */
export const canonicalJson = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** What builds consist of; nothing else in a folder is ever removed. */
const perParty = [
  "program.ts",
  "program.js",
  "program.mir",
  "manifest.json",
  "weights.safetensors",
  "public.onnx",
  "public.weights",
  "head.onnx",
  "head.weights",
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "tokenizer.model",
  "vocab.json",
  "vocab.txt",
  "merges.txt",
];
const ofBuilds: ReadonlySet<string> = new Set([
  "manifest.json",
  "program.mir",
  ...["client", "server", "dealer"].flatMap((role) => perParty.map((file) => `${role}/${file}`)),
]);

/**
 * Writes a build directory as a whole: into a folder beside it, which then takes its place, so that what an earlier
 * build left is gone and a failure leaves the earlier build as it was. Refuses a folder that holds anything else.
 */
export function writeBuild(dir: string, files: ReadonlyMap<string, Uint8Array>): void {
  for (const path of files.keys()) checkPath(path);
  const target = existsSync(dir) ? realpathSync(dir) : resolve(dir);
  checkTarget(target, dir, files);
  mkdirSync(dirname(target), { recursive: true });
  const beside = (what: string): string => join(dirname(target), `.${basename(target)}.${what}-${process.pid}`);
  const fresh = beside("new");
  const old = beside("old");
  try {
    writeFiles(fresh, files);
    if (existsSync(target)) renameSync(target, old);
    try {
      renameSync(fresh, target);
    } catch (error) {
      if (existsSync(old)) renameSync(old, target);
      throw error;
    }
    rmSync(old, { recursive: true, force: true });
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    fail(problem("MRL0603", dir, `the build directory cannot be written: ${reason}`));
  }
}

function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): void {
  for (const [path, bytes] of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    // The private weights are the server's alone, on its machine as well.
    writeFileSync(file, bytes, { flag: "wx", mode: path.startsWith("server/") ? 0o600 : 0o644 });
  }
}

/** A path of the compiler's own making; a slip must not write elsewhere. */
function checkPath(path: string): void {
  const parts = path.split("/");
  if (isAbsolute(path) || path.includes("\\") || parts.some((part) => part === "" || part === "." || part === ".."))
    throw new Error(`${JSON.stringify(path)} is no path inside a build directory`);
}

function checkTarget(target: string, shown: string, files: ReadonlyMap<string, Uint8Array>): void {
  const stat = statSync(target, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isDirectory()) fail(problem("MRL0601", shown, "the build directory exists and is not a folder"));
  const present = filesOf(target);
  const foreign = present.filter((path) => !ofBuilds.has(path) && !files.has(path));
  if (present.length === 0 || (present.includes("manifest.json") && foreign.length === 0)) return;
  fail({
    code: "MRL0602",
    message: "the folder is neither empty nor a build of marillc's alone",
    at: shown,
    because: (foreign.length > 0 ? foreign : present).slice(0, 5).map((path) => `it holds ${path}`),
    help: "name another folder (-o), or move these files away: a build replaces the whole folder",
  });
}

/** Everything below a folder that is not itself a folder, and empty folders, with `/` between names. */
function filesOf(folder: string, prefix = ""): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${prefix}${entry.name}`;
    return entry.isDirectory() ? filesOf(join(folder, entry.name), `${path}/`) : [path];
  });
}
