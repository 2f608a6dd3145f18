import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import type { Program } from "../../runtime/program/index.ts";
import type { IntTensor } from "../../runtime/ring/index.ts";
import { fileDiagnostic, readWholeFile } from "../tensors/files/index.ts";
import { checkArtefacts } from "./check-artefacts.ts";
import type { Manifest } from "./manifest.ts";
import { checkPackedWeights, unpackWeights } from "./pack-weights.ts";
import { nameBuild, requirePartyFolder } from "./party-folder.ts";
import { sha256 } from "./sha256.ts";
import { version } from "./version.ts";

export interface LoadedParty {
  /** The party's folder: every file was read from it, and none from another. */
  readonly dir: string;
  readonly manifest: Manifest;
  /** SHA-256 of manifest.json, which has a digest of everything public that the parties use. */
  readonly manifestHash: string;
  readonly program: Program;
  /** The program that decodes one position, if the build has one. */
  readonly decode?: Program;
  /** Programs of shorter context lengths, in the order of the manifest. */
  readonly buckets: readonly Program[];
  /** Integers round(w·2^scale) of the weights that this party holds; none at the dealer. */
  readonly tensors: ReadonlyMap<string, IntTensor>;
  /** Text of program.mir. */
  readonly mir: string;
  /** Text of decode.mir. */
  readonly decodeMir?: string;
  /** Texts of window-<positions>.mir. */
  readonly bucketMirs: readonly string[];
}

const maxTextBytes = 256 * 2 ** 20;
const recompile = "run `marillc compile` again, and copy the party's whole folder";

/**
 * Loads what a party runs, from its own folder or from the build directory around it. The manifest's digests, the
 * setting, and the names, shapes and ranges of the weights are checked before use.
 * @throws DiagnosticError of requirePartyFolder, MRL0611 to MRL0616 for manifest and programs, MRL0620 for a missing weight
 * file, and the errors of unpackWeights, checkPackedWeights and checkArtefacts
 */
export async function loadParty(dir: string, role: Role, adapter?: string): Promise<LoadedParty> {
  const folder = requirePartyFolder(dir, role);
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
  const stored = existsSync(file) ? unpackWeights(file) : emptyWeights(role, file);
  const chosen =
    role === "server" && adapter !== undefined
      ? unpackWeights(join(folder, `adapter-${adapter}.safetensors`))
      : new Map();
  const tensors: LoadedParty["tensors"] = new Map([...stored, ...chosen]);
  for (const each of [program, ...(decode ? [decode] : []), ...buckets])
    throwIfAny(checkPackedWeights(each.weights, tensors, role, file));
  checkArtefacts(folder, role, manifest, [program, ...(decode ? [decode] : []), ...buckets]);
  const manifestHash = sha256(readWholeFile(join(folder, "manifest.json"), maxTextBytes, "MRL0611"));
  const decodeParts = decode && decodeMir !== undefined ? { decode, decodeMir } : {};
  return { dir: folder, manifest, manifestHash, program, ...decodeParts, buckets, bucketMirs, tensors, mir };
}

const adapterName = /^adapter-(.+)\.safetensors$/;

/** The adapters that the server may choose from, by name; empty for a build with one set of weights. */
export const adapterNames = (folder: string): readonly string[] =>
  (existsSync(folder) ? readdirSync(folder) : []).flatMap((file) => adapterName.exec(file)?.[1] ?? []).sort();

/** Only the dealer has no weight file. */
function emptyWeights(role: Role, file: string): ReadonlyMap<string, IntTensor> {
  return role === "dealer"
    ? new Map()
    : fail(fileDiagnostic("MRL0620", file, `expected the ${role}'s weights, found no file`, recompile));
}

function readText(path: string, code: string): string {
  if (!existsSync(path)) return fail(fileDiagnostic(code, path, "expected a file of the build, found none", recompile));
  return new TextDecoder().decode(readWholeFile(path, maxTextBytes, code));
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Reads the manifest of a build or of a party's folder.
 * @throws DiagnosticError MRL0611 for a file that is not a manifest, MRL0612 for another schema or another compiler
 */
export function readManifest(path: string): Manifest {
  const folder = dirname(path);
  if (!existsSync(path)) {
    const present = statSync(folder, { throwIfNoEntry: false });
    const other = present?.isDirectory() ? "a folder without manifest.json" : "a file";
    const found = present ? other : "no such folder";
    return fail(fileDiagnostic("MRL0611", folder, `expected a build directory, found ${found}`, nameBuild));
  }
  const text = readText(path, "MRL0611");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fail(fileDiagnostic("MRL0611", path, "expected a manifest in JSON, found other text", recompile));
  }
  if (!isRecord(json))
    return fail(fileDiagnostic("MRL0611", path, "expected a manifest, found JSON that is not an object", recompile));
  const wrong = (message: string): Diagnostic => fileDiagnostic("MRL0612", path, message, recompile);
  if (json.schema !== 1) fail(wrong(`expected schema 1 of a manifest, found ${JSON.stringify(json.schema)}`));
  const compiler = String(json.compiler).replace(/^marillc /, "");
  if (compiler !== version) fail(wrong(`expected a build of marillc ${version}, found one of marillc ${compiler}`));
  const texts = ["name", "setting", "programHash"].filter((field) => typeof json[field] !== "string");
  const lists = ["weights", "inputs", "cuts", "tails", "clientOutputs", "reveals"].filter(
    (field) => !Array.isArray(json[field]),
  );
  const records = ["chosenFor"].filter((field) => !isRecord(json[field]));
  const missing = [...texts, ...lists, ...records];
  if (missing.length > 0)
    fail(fileDiagnostic("MRL0611", path, `expected ${missing.join(", ")} in the manifest, found none`, recompile));
  return json as unknown as Manifest;
}

/** Reads the module's text, beside the program. */
function readMir(folder: string, name: string, expected: string): string {
  const path = join(folder, name);
  if (!existsSync(path))
    return fail(fileDiagnostic("MRL0613", path, "expected a file of the build, found none", recompile));
  const bytes = readWholeFile(path, maxTextBytes, "MRL0613");
  const hash = sha256(bytes);
  if (hash !== expected)
    fail(
      fileDiagnostic("MRL0613", path, `expected the SHA-256 of the manifest, ${expected}, found ${hash}`, recompile),
    );
  return new TextDecoder().decode(bytes);
}

/**
 * Imports a program from the bytes that were checked, not from its path: Node would take the module type from the
 * nearest package.json, and would return an earlier build that it had cached under the same path.
 */
async function importProgram(path: string, role: Role, manifest: Manifest, hash: string): Promise<Program> {
  const text = readText(path, "MRL0614");
  const owner = /^\/\/ (client|server|dealer) program of /.exec(text)?.[1];
  if (owner !== role) {
    const found = owner === undefined ? "a file that marillc did not generate" : `the ${owner}'s`;
    fail(fileDiagnostic("MRL0615", path, `expected the program of the ${role}, found ${found}`, nameBuild));
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
    return fail(fileDiagnostic("MRL0614", path, "expected an exported program, found none", recompile));
  if (program.hash !== hash) {
    const message = `expected the program of module ${hash}, as the manifest says, found ${program.hash}`;
    fail(fileDiagnostic("MRL0616", path, message, recompile));
  }
  if (program.setting !== manifest.setting) {
    fail(
      fileDiagnostic(
        "MRL0616",
        path,
        `expected a program for ${manifest.setting}, as the manifest says, found one for ${program.setting}`,
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
