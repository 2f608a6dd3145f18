import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import type { Program } from "../../runtime/program/index.ts";
import type { IntTensor } from "../../runtime/ring/index.ts";
import { fileDiagnostic, readWholeFile } from "../tensors/files/index.ts";
import type { Manifest } from "./manifest.ts";
import { checkPackedWeights, unpackWeights } from "./pack-weights.ts";
import { version } from "./version.ts";

export interface LoadedParty {
  readonly manifest: Manifest;
  readonly program: Program;
  /** The program of one place, where the build has one. */
  readonly decode?: Program;
  /** Programs of shorter windows, in the order of the manifest. */
  readonly buckets: readonly Program[];
  /** Integers of the weights that this party holds; none at the dealer. */
  readonly tensors: ReadonlyMap<string, IntTensor>;
  /** Text of program.mir; empty where only the party's own folder of the client is there. */
  readonly mir: string;
  /** Text of decode.mir, likewise. */
  readonly decodeMir?: string;
  /** Texts of window-<places>.mir, likewise. */
  readonly bucketMirs: readonly string[];
}

const maxTextBytes = 256 * 2 ** 20;
const recompile = "compile again, and copy the party's whole folder";

/** What a party runs, from its folder or the build directory: everything checked against the manifest before it is used. */
export async function loadParty(dir: string, role: Role): Promise<LoadedParty> {
  const folder = partyFolderIn(dir, role);
  const manifest = readManifest(join(folder, "manifest.json"));
  const mir = readMir(folder, "program.mir", manifest.programHash);
  const decodeMir = manifest.decode && readMir(folder, "decode.mir", manifest.decode.programHash);
  const program = await importProgram(join(folder, "program.js"), role, manifest, manifest.programHash);
  const decode =
    manifest.decode && (await importProgram(join(folder, "decode.js"), role, manifest, manifest.decode.programHash));
  const bucketManifests = manifest.decode?.windows ?? [];
  const bucketMirs = bucketManifests.map(({ places, programHash }) =>
    readMir(folder, `window-${places}.mir`, programHash),
  );
  const buckets = await Promise.all(
    bucketManifests.map(({ places, programHash }) =>
      importProgram(join(folder, `window-${places}.js`), role, manifest, programHash),
    ),
  );
  const file = join(folder, "weights.safetensors");
  const tensors = existsSync(file) ? unpackWeights(file) : emptyWeights(role, file);
  for (const each of [program, ...(decode ? [decode] : []), ...buckets])
    throwIfAny(checkPackedWeights(each.weights, tensors, role, file));
  const decodeParts = decode && decodeMir !== undefined ? { decode, decodeMir } : {};
  return { manifest, program, ...decodeParts, buckets, bucketMirs, tensors, mir };
}

/** Only the dealer has none. */
function emptyWeights(role: Role, file: string): ReadonlyMap<string, IntTensor> {
  return role === "dealer" ? new Map() : fail(fileDiagnostic("MRL0620", file, "the file is missing", recompile));
}

function partyFolderIn(dir: string, role: Role): string {
  const hasProgram = (folder: string): boolean => existsSync(join(folder, "program.js"));
  const found = [join(dir, role), dir].find(hasProgram);
  if (found !== undefined) return found;
  const there = statSync(dir, { throwIfNoEntry: false });
  const message = there ? `there is no program.js for the ${role}` : "the folder does not exist";
  return fail(
    fileDiagnostic("MRL0610", dir, message, "name a build directory of marillc compile, or this party's folder of it"),
  );
}

function readText(path: string, code: string): string {
  if (!existsSync(path)) return fail(fileDiagnostic(code, path, "the file is missing", recompile));
  return new TextDecoder().decode(readWholeFile(path, maxTextBytes, code));
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The manifest of a build or of a party's folder. */
export function readManifest(path: string): Manifest {
  const text = readText(path, "MRL0611");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fail(fileDiagnostic("MRL0611", path, "the manifest is not JSON", recompile));
  }
  if (!isRecord(json)) return fail(fileDiagnostic("MRL0611", path, "the manifest is not an object", recompile));
  const wrong = (message: string): Diagnostic => fileDiagnostic("MRL0612", path, message, recompile);
  if (json.schema !== 1) fail(wrong(`expected a manifest of schema 1, found ${JSON.stringify(json.schema)}`));
  const compiler = String(json.compiler).replace(/^marillc /, "");
  if (compiler !== version) fail(wrong(`the build is of marillc ${compiler}; this is marillc ${version}`));
  const texts = ["name", "setting", "programHash"].filter((field) => typeof json[field] !== "string");
  const lists = ["weights", "inputs", "cuts", "tails", "clientOutputs", "reveals"].filter(
    (field) => !Array.isArray(json[field]),
  );
  const records = ["chosenFor"].filter((field) => !isRecord(json[field]));
  const missing = [...texts, ...lists, ...records];
  if (missing.length > 0) fail(fileDiagnostic("MRL0611", path, `the manifest lacks ${missing.join(", ")}`, recompile));
  return json as unknown as Manifest;
}

/** The module's text, beside the program or (for the client) in the build directory around it. */
function readMir(folder: string, name: string, expected: string): string {
  const inBuild = ["client", "server", "dealer"].includes(basename(resolve(folder)));
  const around = join(dirname(resolve(folder)), name);
  const path = [join(folder, name), ...(inBuild ? [around] : [])].find((candidate) => existsSync(candidate));
  if (path === undefined) return "";
  const bytes = readWholeFile(path, maxTextBytes, "MRL0613");
  const hash = createHash("sha256").update(bytes).digest("hex");
  if (hash !== expected)
    fail(
      fileDiagnostic("MRL0613", path, `expected the SHA-256 of the manifest, ${expected}, found ${hash}`, recompile),
    );
  return new TextDecoder().decode(bytes);
}

/**
 * The program as a module. From the bytes that were read, not by the file's address: Node would judge by the nearest
 * package.json what kind of module it is, and would give back an earlier build that it had loaded from there.
 */
async function importProgram(path: string, role: Role, manifest: Manifest, hash: string): Promise<Program> {
  const text = readText(path, "MRL0614");
  const whose = /^\/\/ (client|server|dealer) program of /.exec(text)?.[1];
  if (whose !== role) {
    const found = whose === undefined ? "no program that marillc generated" : `the ${whose}'s`;
    fail(
      fileDiagnostic(
        "MRL0615",
        path,
        `expected the program of the ${role}, found ${found}`,
        `name the ${role}'s folder`,
      ),
    );
  }
  const source = `${text}\n//# sourceURL=${pathToFileURL(resolve(path)).href}`;
  const url = `data:text/javascript;base64,${Buffer.from(source).toString("base64")}`;
  let program: unknown;
  try {
    ({ program } = (await import(/* @vite-ignore */ url)) as { program: unknown });
  } catch (error) {
    return fail(fileDiagnostic("MRL0614", path, `the program cannot be loaded: ${String(error)}`, recompile));
  }
  if (!isProgram(program))
    return fail(fileDiagnostic("MRL0614", path, "the file does not export a program", recompile));
  if (program.hash !== hash) {
    const message = `the program is of module ${program.hash}, the manifest of ${hash}`;
    fail(fileDiagnostic("MRL0616", path, message, recompile));
  }
  if (program.setting !== manifest.setting) {
    fail(
      fileDiagnostic(
        "MRL0616",
        path,
        `the program is for ${program.setting}, the manifest for ${manifest.setting}`,
        recompile,
      ),
    );
  }
  return program;
}

function isProgram(value: unknown): value is Program {
  return (
    isRecord(value) &&
    typeof value.body === "function" &&
    [value.name, value.hash, value.setting].every((text) => typeof text === "string") &&
    [value.inputs, value.outputs, value.weights].every(isRecord)
  );
}
