import { existsSync, mkdtempSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Diagnostic, fail } from "../../ir/diagnostic.ts";
import { sessionError } from "../../runtime/core/index.ts";
import type { IntTensor } from "../../runtime/ring/index.ts";
import type { Manifest } from "../build/index.ts";
import {
  isResidueName,
  readResidue,
  residueFileEnd,
  type ShareHolder,
  shareId,
  writeResidue,
} from "../inputs/index.ts";
import {
  bothHalves,
  combine,
  type DeclaredShare,
  fitResidue,
  type Halves,
  type ReadShare,
  type Residues,
  type SharesJson,
} from "../run/index.ts";
import { makeFolder, requireWritable } from "../tensors/files/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { refuseFile, usage } from "./errors.ts";
import { writingProblems } from "./keep-answer.ts";

/** Where a party's shares of outputs that stay shared go. */
export interface ShareOption {
  /**
   * The folder for this party's shares of outputs that stay shared: a file for each output of each query, which other
   * users of the machine cannot read. Needed exactly for a build with such outputs. Where both parties run here, each has
   * a folder of its own in it.
   */
  readonly shares?: string;
}

type ReportProblem = (problem: Diagnostic) => void;

interface Given {
  readonly inputs?: object | undefined;
  readonly inputFiles?: readonly string[] | undefined;
}

/** The files that a caller names for inputs that arrive as shares, by input. */
export type ShareFiles = ReadonlyMap<string, readonly string[]>;

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** `a`, or `a+b`. A folder may have a plus sign in its name. */
const partsOf = (text: string): readonly string[] => (existsSync(text) ? [text] : text.split("+"));

const argumentOf = (text: string): readonly [name: string, path: string] => {
  const at = text.indexOf("=");
  return [text.slice(0, Math.max(0, at)), text.slice(at + 1)];
};

/**
 * Separates the shares among the inputs; the rest are tensors. `folders`: a folder of shares is meant too, one that an
 * earlier program has yet to make as well.
 */
export function separateShares<T extends Given>(
  { sharedInputs = [] }: Manifest,
  given: T,
  folders = false,
): { readonly rest: T; readonly files: ShareFiles } {
  const names = new Set(sharedInputs.map(({ tensor }) => tensor));
  const isShare = ([name, value]: readonly [string, unknown]): boolean =>
    names.has(name) &&
    typeof value === "string" &&
    (partsOf(value).every(isResidueName) || (folders && (isFolder(value) || !existsSync(value))));
  const { inputs = {}, inputFiles = [] } = given;
  // A function finds tensors alone.
  const named: readonly (readonly [string, unknown])[] = typeof inputs === "function" ? [] : Object.entries(inputs);
  const found = [...named, ...inputFiles.map(argumentOf)].filter(isShare) as readonly (readonly [string, string])[];
  const twice = found.find(([name], k) => found.findIndex(([other]) => other === name) !== k);
  if (twice) usage(`shares of input ${twice[0]} are given twice`);
  const rest = {
    ...given,
    ...(named.length > 0 && { inputs: Object.fromEntries(named.filter((each) => !isShare(each))) }),
    inputFiles: inputFiles.filter((argument) => !isShare(argumentOf(argument))),
  };
  return { rest, files: new Map(found.map(([name, path]) => [name, partsOf(path)])) };
}

/**
 * Both halves of each input, and the value that they add up to: for a run with both parties on this machine.
 * @throws DiagnosticError for files that are not the two halves of one value, or that the program does not accept
 */
export function halvesOf(
  { sharedInputs = [] }: Manifest,
  files: ShareFiles,
): { readonly halves: ReadonlyMap<string, Halves>; readonly values: ReadonlyMap<string, TypedTensor> } {
  const read = sharedInputs.flatMap((declared) => {
    const paths = files.get(declared.tensor);
    return paths ? [[declared, bothHalves(paths.map(readShare), declared.tensor)] as const] : [];
  });
  return {
    halves: new Map(
      read.map(([declared, { client, server }]) => [
        declared.value,
        { client: fitted(client, declared, "client"), server: fitted(server, declared, "server") },
      ]),
    ),
    values: new Map(read.map(([{ tensor }, { client, server }]) => [tensor, combine(client.file, server.file)])),
  };
}

const readShare = (path: string): ReadShare => ({ path, file: readResidue(path) });
const fitted = ({ path, file }: ReadShare, declared: DeclaredShare, party: ShareHolder): IntTensor =>
  fitResidue(file, declared, party, path);

/** A party's own halves, and by what the other one finds its halves: the ids, in the order of the manifest. */
export interface OwnShares {
  readonly residues: Residues;
  readonly ids: readonly string[];
}

/** @throws DiagnosticError for an input without a file, or with one that the program does not accept */
export function ownShares({ sharedInputs = [] }: Manifest, files: ShareFiles, party: ShareHolder): OwnShares {
  const read = sharedInputs.map((declared) => ({ declared, ...readShare(fileOf(declared, files)) }));
  return {
    residues: new Map(read.map((each) => [each.declared.value, fitted(each, each.declared, party)])),
    ids: read.map(({ file }) => file.id),
  };
}

function fileOf({ tensor }: DeclaredShare, files: ShareFiles): string {
  const [path, ...others] = files.get(tensor) ?? [];
  if (path !== undefined && others.length === 0) return path;
  return fail({
    code: "MRL0843",
    message: `expected this party's share of input "${tensor}", found ${path === undefined ? "none" : "several files"}`,
    help: `give the file that --shares of the program before wrote: --input ${tensor}=<file>.safetensors`,
  });
}

/** Finds the server's halves for a query by the ids that the client names. */
export function serverShares(
  manifest: Manifest,
  files: ShareFiles,
): (asked: { readonly shares?: readonly string[] }) => Residues {
  const { sharedInputs = [] } = manifest;
  if (sharedInputs.length === 0) return () => new Map();
  const isFixed = (declared: DeclaredShare): boolean => isResidueName(fileOf(declared, files));
  // What is the same for all queries is tried before the first one.
  const fixed = new Map(
    sharedInputs.filter(isFixed).map((declared) => {
      const read = readShare(fileOf(declared, files));
      return [declared.value, { id: read.file.id, residue: fitted(read, declared, "server") }] as const;
    }),
  );
  return ({ shares: ids = [] }) =>
    new Map(
      sharedInputs.map((declared, k) => {
        const known = fixed.get(declared.value) ?? lookUp(declared, fileOf(declared, files), ids[k] ?? "");
        if (known.id !== ids[k]) throw sessionError("noOtherHalf", { peer: "server" });
        return [declared.value, known.residue];
      }),
    );
}

/** One line for each folder of shares that is not there yet: its operator may have meant another. */
export const awaitedFolders = (files: ShareFiles): readonly string[] =>
  [...files].flatMap(([name, paths]) =>
    paths
      .filter((path) => !isResidueName(path) && !isFolder(path))
      .map(
        (path) =>
          `shares of input ${name}: there is no folder ${path} yet, and queries are refused until it has theirs`,
      ),
  );

/** The server's half of a value in a folder. */
function lookUp(
  declared: DeclaredShare,
  folder: string,
  id: string,
): { readonly id: string; readonly residue: IntTensor } {
  const name = isFolder(folder) && readdirSync(folder).find((file) => file.endsWith(residueFileEnd(id, "server")));
  if (!name) throw new Error(`${folder} has no half of the value ${id.slice(0, 12)}`);
  const read = readShare(join(folder, name));
  return { id: read.file.id, residue: fitted(read, declared, "server") };
}

/** Before the first query, whose shares would be lost. @throws UsageError for a folder that is missing or of no use */
export function prepareShares({ sharedOutputs = [] }: Manifest, folder: string | undefined): void {
  const names = sharedOutputs.map(({ tensor }) => tensor).join(", ");
  if (folder === undefined && names !== "")
    usage(`${names} stays shared: give a folder for the shares, --shares <folder>`);
  if (folder === undefined) return;
  if (names === "")
    usage("--shares is for outputs that stay shared, and this build has none (compile --reveal <output>:shared)");
  try {
    makeFolder(folder, 0o700);
  } catch (error) {
    refuseFile(error);
  }
  requireWritable(join(folder, "share"));
}

/** The query that made shares. */
export interface MadeBy {
  readonly session: string;
  readonly query: number;
  readonly record?: string;
}

/** Writes one file into a folder, or else where temporary files go: a half that is lost takes the value with it. */
function writeSomewhere(folder: string, write: (folder: string) => string, report: ReportProblem): string {
  try {
    return write(folder);
  } catch (error) {
    const [problem] = writingProblems(error);
    const file = write(mkdtempSync(join(tmpdir(), "marillc-shares-")));
    const message = `a share cannot be written to ${folder}, and is in a temporary folder`;
    const help = `move ${file} to a place where it stays`;
    report({ code: "MRL0844", message, at: file, because: [`${problem!.code} ${problem!.message}`], help });
    return file;
  }
}

/** Writes the halves of these parties, each into its folder; `report`: what went elsewhere. */
export function writeShares(
  { name, programHash, sharedOutputs = [] }: Manifest,
  { session, query, record }: MadeBy,
  parties: readonly { readonly party: ShareHolder; readonly folder: string; readonly residues: Residues }[],
  report: ReportProblem,
): SharesJson {
  return Object.fromEntries(
    sharedOutputs.map(({ value: id, tensor, shape, width, scale, range: [lo, hi] }) => {
      const value = { tensor, program: name, programHash, session, query, shape, width, scale, lo, hi };
      const label = record === undefined ? tensor : `${record}-${tensor}`;
      const files = parties.map(({ party, folder, residues }) => [
        party,
        writeSomewhere(folder, (to) => writeResidue(to, label, party, value, residues.get(id)!.data!), report),
      ]);
      return [tensor, { id: shareId(value), files: Object.fromEntries(files) }];
    }),
  );
}
