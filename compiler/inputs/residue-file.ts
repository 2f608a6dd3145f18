import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import { sizeOf } from "../../ir/type.ts";
import { makeFolder, readWholeFile } from "../tensors/files/index.ts";
import { decodeElements, encodeElements, parseSafetensorsHeader, writeSafetensors } from "../tensors/index.ts";

/** The two parties that hold a value in shares. */
export type ShareHolder = "client" | "server";

/** What is public of a value that a program left in shares: the same in the files of both parties. */
export interface HandedValue {
  /** Output of the model. */
  readonly tensor: string;
  /** The program that made it, and the SHA-256 of its module. */
  readonly program: string;
  readonly programHash: string;
  /** The query that made it. */
  readonly session: string;
  readonly query: number;
  readonly shape: readonly number[];
  /** Ring in which the residues add up to the value, and its fractional bits. */
  readonly width: number;
  readonly scale: number;
  /** Public bounds of the value. */
  readonly lo: number;
  readonly hi: number;
}

/** One party's half of a value. */
export interface ResidueFile {
  readonly party: ShareHolder;
  readonly value: HandedValue;
  /** Names the value: both halves have it, and no other value. */
  readonly id: string;
  /** Residues as signed integers of the ring. */
  readonly residue: Float64Array;
}

/** The fields in the order in which the id hashes them. */
const isText = (x: unknown): boolean => typeof x === "string" && x.length <= 1024;
const isCount = (x: unknown): boolean => Number.isSafeInteger(x) && Number(x) >= 0;
const fieldChecks: Readonly<Record<keyof HandedValue, (x: unknown) => boolean>> = {
  tensor: isText,
  program: isText,
  programHash: (x) => typeof x === "string" && /^[0-9a-f]{64}$/.test(x),
  session: (x) => typeof x === "string" && /^[0-9a-f]{32}$/.test(x),
  query: isCount,
  shape: (x) => Array.isArray(x) && x.length <= 32 && x.every(isCount),
  width: (x) => isCount(x) && Number(x) >= 2 && Number(x) <= 53,
  scale: (x) => Number.isSafeInteger(x) && Math.abs(Number(x)) <= 64,
  lo: Number.isFinite,
  hi: Number.isFinite,
};
const fieldNames = Object.keys(fieldChecks) as (keyof HandedValue)[];

const headerText = (value: HandedValue): string => JSON.stringify(fieldNames.map((name) => value[name]));

/** 32 hexadecimal digits. */
export const shareId = (value: HandedValue): string =>
  createHash("sha256").update(headerText(value)).digest("hex").slice(0, 32);

const maxBytes = 2 ** 31 - 1;
/** Digits of the id in the name of a file. */
const shownDigits = 12;
const ending = ".safetensors";

/** The end of the name of a party's file: the start of it is for people. */
export const residueFileEnd = (id: string, party: ShareHolder): string =>
  `-${id.slice(0, shownDigits)}.${party}${ending}`;

/** Whether an argument names residue files rather than a tensor: inputs are never read from safetensors. */
export const isResidueName = (path: string): boolean => path.endsWith(ending);

/**
 * Writes a party's half of a value into its folder, for its owner's eyes. `label`: what the name begins with.
 * Residues are doubles in the file: 53 bits are exact.
 */
export function writeResidue(
  folder: string,
  label: string,
  party: ShareHolder,
  value: HandedValue,
  residue: Float64Array,
): string {
  const metadata = new Map([
    ["marillc.share", JSON.stringify(Object.fromEntries(fieldNames.map((name) => [name, value[name]])))],
    ["marillc.party", party],
  ]);
  const bytes = writeSafetensors(
    [{ name: "residue", dtype: "float64", shape: value.shape, bytes: encodeElements("float64", residue) }],
    metadata,
  );
  const file = join(
    folder,
    `${label.replace(/[^A-Za-z0-9_.-]/g, "_").slice(0, 64)}${residueFileEnd(shareId(value), party)}`,
  );
  makeFolder(dirname(file), 0o700);
  writeFileSync(file, bytes, { mode: 0o600 });
  return file;
}

/** @throws DiagnosticError MRL0840 for anything but a file that `writeResidue` wrote */
export function readResidue(file: string): ResidueFile {
  const refuse = (found: string): never =>
    fail({
      code: "MRL0840",
      message: `expected a party's shares of a value, found ${found}`,
      at: file,
      help: "give a file that `run`, `query` or `serve` wrote with --shares, as it is",
    });
  const bytes = readWholeFile(file, maxBytes);
  const { entries, metadata } = parseSafetensorsHeader(bytes, bytes.length, file);
  const party = metadata.get("marillc.party");
  if (party !== "client" && party !== "server") return refuse("a file of other tensors");
  const value = parseHeader(metadata.get("marillc.share") ?? "");
  const [entry, ...others] = entries;
  if (!value) return refuse("a header that is not complete");
  if (!entry || others.length > 0 || entry.dtype !== "float64" || entry.shape.join() !== value.shape.join())
    return refuse("other tensors than its header says");
  const residue = decodeElements("float64", bytes.subarray(entry.offset, entry.offset + entry.length), file);
  const most = 2 ** (value.width - 1);
  const isIn = (x: number): boolean => Number.isInteger(x) && x >= -most && x < most;
  if (residue.length !== sizeOf(value.shape) || !residue.every(isIn))
    return refuse(`numbers that are not residues of ${value.width} bits`);
  return { party, value, id: shareId(value), residue };
}

function parseHeader(text: string): HandedValue | undefined {
  try {
    const fields = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const isWhole = fieldNames.every((name) => fieldChecks[name](fields[name]));
    return isWhole && Object.keys(fields).length === fieldNames.length ? (fields as unknown as HandedValue) : undefined;
  } catch {
    return undefined;
  }
}
