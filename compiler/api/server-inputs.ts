import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import type { Manifest } from "../build/index.ts";
import { inputFileEndings } from "../inputs/index.ts";
import { checkInputs, type InputFile, inputFileOf, readInputFiles } from "../run/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { usage } from "./errors.ts";
import { callback, either, type Fields, listOf, text } from "./fields.ts";
import { type ClampOption, clampFields, type InputOptions, inputTensorsOf, namedInputs } from "./inputs.ts";

/** The query that the server is asked for. */
export interface ServedQuery {
  /** The session's id. */
  readonly session: string;
  /** Index of the query in its session. */
  readonly query: number;
  /** The name under which the client asks: `query --record <name>`. */
  readonly record?: string;
}

/** What the server supplies: the same for every query, a file for each record in a folder, or what a function finds. */
export interface ServerInputOptions extends ClampOption {
  /**
   * By input name: a file, a tensor, nested lists, or a folder with a file for each record (`<record>.npy`, …). Or a
   * function that finds them for a query; what it throws, the client does not learn.
   */
  readonly inputs?:
    | InputOptions["inputs"]
    | ((query: ServedQuery) => InputOptions["inputs"] | Promise<InputOptions["inputs"]>);
  /** Files that name their tensors, folders of such files by record, or `name=file` as on the command line. */
  readonly inputFiles?: readonly string[];
}

export const serverInputFields: Fields<ServerInputOptions> = {
  ...clampFields,
  inputs: either([(value) => typeof value === "function", callback], [() => true, namedInputs]),
  inputFiles: listOf(text),
};

type NamedTensors = ReadonlyMap<string, TypedTensor>;

/** Finds the server's inputs for each query. */
export interface ServerInputSource {
  readonly find: (query: ServedQuery) => Promise<NamedTensors>;
  /** Inputs that are the same in every query, where all are. */
  readonly constant?: NamedTensors;
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/**
 * Reads what is the same for all queries, and remembers where the rest is.
 * @throws DiagnosticError with all problems that show before a query
 */
export function openServerInputs(
  manifest: Manifest,
  { inputs = {}, inputFiles = [] }: ServerInputOptions,
): ServerInputSource {
  if (typeof inputs === "function") {
    if (inputFiles.length > 0) usage("inputs that a function finds and input files do not go together");
    return { find: async (query) => checkInputs(manifest, inputTensorsOf((await inputs(query)) ?? {}, []), "server") };
  }
  const named = Object.entries(inputs).flatMap(([name, file]) =>
    typeof file === "string" && isFolder(file) ? [{ name, file }] : [],
  );
  const files = inputFiles.map(inputFileOf);
  const folders = [...files.filter(({ file }) => isFolder(file)), ...named];
  const rest = Object.fromEntries(Object.entries(inputs).filter(([, value]) => !isFolderValue(value)));
  const fixed = inputTensorsOf(
    rest,
    files.filter(({ file }) => !isFolder(file)),
  );
  if (folders.length === 0) {
    const constant = checkInputs(manifest, fixed, "server");
    return { constant, find: async () => constant };
  }
  return {
    find: async ({ record }) => {
      if (record === undefined) throw new Error("the query names no record");
      const found = folders.map((each) => recordFile(each, record));
      return checkInputs(manifest, readInputFiles(found, fixed), "server");
    },
  };
}

const isFolderValue = (value: unknown): boolean => typeof value === "string" && isFolder(value);

/** The file of a record in a folder, with the name of its input where one stands before the folder. */
function recordFile({ file: folder, ...named }: InputFile, record: string): InputFile {
  const found = inputFileEndings.map((ending) => `${record}${ending}`).find((name) => existsSync(join(folder, name)));
  if (found === undefined) throw new Error(`${folder} has no file of record ${record}`);
  return { ...named, file: join(folder, found) };
}

/** The reason for which a query got no input, for the server's own log. */
export const inputFailure = (error: unknown): string =>
  error instanceof DiagnosticError
    ? error.diagnostics
        .map(({ code, message, at }) => `${code} ${message}${at === undefined ? "" : ` (${at})`}`)
        .join("; ")
    : error instanceof Error
      ? error.message
      : String(error);
