import { renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { OutputJson, SharesJson } from "../run/index.ts";
import { makeFolder } from "../tensors/files/index.ts";
import { type NpyDtype, type TypedTensor, writeNpz } from "../tensors/index.ts";
import { usage } from "./errors.ts";
import { prepareOutput } from "./inputs.ts";
import type { ServedQuery } from "./server-inputs.ts";

/** What the server learned from one query. */
export interface ServedAnswer extends ServedQuery {
  /** The outputs revealed to the server, by name. */
  readonly outputs: Readonly<Record<string, OutputJson>>;
  /** Outputs that stay shared: where the server's shares lie. */
  readonly shares?: SharesJson;
  /** Set where a file of it could not be written: this is all there is of it. */
  readonly unsaved?: true;
}

type NamedTensors = ReadonlyMap<string, TypedTensor>;

const isFile = (path: string): boolean => path.endsWith(".npz");

/** Before the first query, whose answer would be lost. @throws DiagnosticError MRL0804, UsageError for a file that is no .npz */
export function prepareServedOutput(path: string | undefined): void {
  if (path !== undefined && !isFile(path) && statSync(path, { throwIfNoEntry: false })?.isDirectory() === false)
    usage(`--output takes a folder, or a file that ends in .npz, found a file: ${path}`);
  prepareOutput(path === undefined || isFile(path) ? path : join(path, ".npz"));
}

/**
 * Writes what a query opened to the server: to the file, which then has the outputs of the latest query, or to a file of
 * its own in the folder. Other users of the machine cannot read it.
 */
export function writeServedOutputs(path: string, query: ServedQuery, outputs: NamedTensors): void {
  const bytes = writeNpz(outputs as ReadonlyMap<string, TypedTensor & { readonly dtype: NpyDtype }>);
  const file = isFile(path) ? path : join(path, `${answerName(query)}.npz`);
  makeFolder(dirname(file));
  // Whoever reads the file meanwhile sees one whole answer.
  const fresh = `${file}.${query.session.slice(0, 8)}-${query.query}.new`;
  try {
    writeFileSync(fresh, bytes, { mode: 0o600 });
    renameSync(fresh, file);
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** `<record>-<session>-<query>`: sessions have random ids, so no two answers have one name. */
const answerName = ({ record, session, query }: ServedQuery): string =>
  [...(record === undefined ? [] : [record]), session.slice(0, 8), query].join("-");
