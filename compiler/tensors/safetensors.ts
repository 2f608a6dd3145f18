import { statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Dtype } from "./dtype.ts";
import { byteLengthOf, decodeElements } from "./element-codecs.ts";
import { fileDiagnostic, findDuplicates, readFileRange, readWholeFile, refuseForeignLink } from "./files/index.ts";
import { readSafetensorsHeader, type SafetensorsEntry, safetensorsDtypes } from "./safetensors-header.ts";
import { isObject, parseJson } from "./strict-json.ts";

/** The tensors of one file, or of all shards of a folder. Only headers are in memory. */
export interface SafetensorsFile {
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Input of `writeSafetensors`: little-endian elements without gaps. */
export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const indexName = "model.safetensors.index.json";
const singleName = "model.safetensors";
const maxIndexBytes = 100_000_000;

/**
 * Opens a .safetensors file, an index of shards, or a folder that has one of them under its usual name. Errors:
 * MRL0101, MRL0133, and those of the header.
 */
export function openSafetensors(path: string): SafetensorsFile {
  const file = resolveFile(path);
  if (file.endsWith(".json")) return openShards(file);
  const { entries, metadata } = readSafetensorsHeader(file);
  return { entries: new Map(entries.map((entry) => [entry.name, entry])), metadata };
}

export function readSafetensor(store: SafetensorsFile, name: string): Tensor {
  const entry = entryOf(store, name);
  const at = `${entry.file}, tensor "${name}"`;
  return { shape: entry.shape, data: decodeElements(entry.dtype, readSafetensorBytes(store, name), at) };
}

/** The elements as stored. */
export function readSafetensorBytes(store: SafetensorsFile, name: string): Uint8Array {
  const entry = entryOf(store, name);
  const context = { at: `${entry.file}, tensor "${name}"`, code: "MRL0131" };
  return readFileRange(entry.file, entry.offset, entry.length, context, "follow");
}

function entryOf(store: SafetensorsFile, name: string): SafetensorsEntry {
  const entry = store.entries.get(name);
  if (entry) return entry;
  const file = store.entries.values().next().value?.file ?? "the weights";
  return fail(fileDiagnostic("MRL0134", file, `the file has no tensor "${name}"`));
}

function resolveFile(path: string): string {
  const kind = (candidate: string) => statSync(candidate, { throwIfNoEntry: false });
  const found = kind(path);
  if (!found) return fail(fileDiagnostic("MRL0101", path, "the file does not exist"));
  if (!found.isDirectory()) return path;
  const inside = [indexName, singleName].map((name) => join(path, name)).find((candidate) => kind(candidate)?.isFile());
  if (!inside) return fail(fileDiagnostic("MRL0101", path, `the folder has neither ${singleName} nor ${indexName}`));
  refuseForeignLink(path, inside);
  return inside;
}

function openShards(index: string): SafetensorsFile {
  const bytes = readWholeFile(index, maxIndexBytes, "MRL0133");
  const json = parseJson(new TextDecoder().decode(bytes), index, "MRL0133");
  const map = isObject(json) ? json.get("weight_map") : undefined;
  if (!isObject(map)) return fail(fileDiagnostic("MRL0133", index, "the index has no weight_map"));
  const problems: Diagnostic[] = [];
  const shards = new Map<string, ReadonlyMap<string, SafetensorsEntry>>();
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, shard] of map) {
    const at = `${index}, tensor "${name}"`;
    // A shard lies beside its index: a path could lead anywhere.
    if (typeof shard !== "string" || shard !== basename(shard) || shard.includes("\\") || shard.startsWith(".")) {
      problems.push(fileDiagnostic("MRL0133", at, `the shard ${JSON.stringify(shard)} is not a file name`));
      continue;
    }
    const entry = shardEntries(shards, join(dirname(index), shard)).get(name);
    if (entry) entries.set(name, entry);
    else problems.push(fileDiagnostic("MRL0133", at, `the shard ${shard} has no such tensor`));
  }
  for (const [shard, inside] of shards) {
    for (const name of inside.keys()) {
      if (!map.has(name))
        problems.push(fileDiagnostic("MRL0133", `${shard}, tensor "${name}"`, "the index does not list it"));
    }
  }
  throwIfAny(problems);
  return { entries, metadata: new Map() };
}

function shardEntries(shards: Map<string, ReadonlyMap<string, SafetensorsEntry>>, file: string) {
  const known = shards.get(file);
  if (known) return known;
  refuseForeignLink(dirname(file), file);
  const entries = new Map(readSafetensorsHeader(file).entries.map((entry) => [entry.name, entry]));
  shards.set(file, entries);
  return entries;
}

const codeOf = new Map([...safetensorsDtypes].map(([code, dtype]) => [dtype, code]));

/** Encodes these tensors in this order; the same tensors give the same bytes. */
export function writeSafetensors(
  tensors: readonly SafetensorsTensor[],
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array {
  const twice = findDuplicates(["__metadata__", ...tensors.map((tensor) => tensor.name)]);
  if (twice.length > 0) throw new Error(`tensors written twice: ${twice.join(", ")}`);
  // Builds text, not an object: JSON.stringify would reorder names that look like numbers.
  const fields = metadata.size > 0 ? [`"__metadata__":${textMap(metadata)}`] : [];
  let offset = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    if (bytes.length !== byteLengthOf(dtype, shape)) throw new Error(`${name} has ${bytes.length} bytes`);
    const range = `[${offset},${offset + bytes.length}]`;
    const key = JSON.stringify(name);
    fields.push(`${key}:{"dtype":"${codeOf.get(dtype)}","shape":${JSON.stringify(shape)},"data_offsets":${range}}`);
    offset += bytes.length;
  }
  const text = new TextEncoder().encode(`{${fields.join(",")}}`);
  // The format requires spaces up to a multiple of 8, so that the data is aligned.
  const header = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20);
  header.set(text);
  const out = new Uint8Array(8 + header.length + offset);
  new DataView(out.buffer).setBigUint64(0, BigInt(header.length), true);
  out.set(header, 8);
  let position = 8 + header.length;
  for (const { bytes } of tensors) {
    out.set(bytes, position);
    position += bytes.length;
  }
  return out;
}

function textMap(map: ReadonlyMap<string, string>): string {
  const sorted = [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
}
