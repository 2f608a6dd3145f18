import { createHash } from "node:crypto";
import type { Finding } from "./finding.ts";
import type { ParsedProgramText } from "./parse-program.ts";
import type { ParsedManifest } from "./read-manifest.ts";

/** Files of a build by path, such as `client/program.ts`. */
export type BuildFiles = ReadonlyMap<string, Uint8Array>;

export const sha256 = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");

export const fileFinding = (message: string, at: string): Finding => ({ code: "MRL0912", message, at });

/** Files that a party's folder may contain, and no others. */
const programFiles = ["program.ts", "program.js", "program.mir", "manifest.json"];
const tokenizerFiles = ["tokenizer.json", "tokenizer_config.json"];
const clientFiles = ["weights.safetensors", "public.onnx", "head.onnx", ...tokenizerFiles];
export const allowedFiles: ReadonlyMap<string, readonly string[]> = new Map([
  ["", ["manifest.json", "program.mir"]],
  ["client", [...programFiles, ...clientFiles]],
  ["server", [...programFiles, "weights.safetensors", "private.onnx"]],
  ["dealer", programFiles],
]);
/** Weights that the server may choose from. */
const adapterFile = /^server\/adapter-[A-Za-z0-9_.-]+\.safetensors$/;

/** Files that a party must not have. Paths are those of a whole build: a party's file is one folder deep. */
export function checkStrayFiles(files: BuildFiles): readonly Finding[] {
  const allowed = (path: string): boolean => {
    const [name, folder = ""] = path.split("/", 2).reverse();
    return path.split("/").length <= 2 && (allowedFiles.get(folder)?.includes(name!) || adapterFile.test(path));
  };
  return [...files.keys()]
    .filter((path) => !allowed(path))
    .map((path) => fileFinding("the file is not part of a build", path));
}

/**
 * The weight file of a party holds exactly the integers that its program declares and the party may know, and no other
 * byte.
 */
export function checkWeightFile(
  files: BuildFiles,
  role: "client" | "server",
  { weights }: ParsedProgramText,
  integers: ParsedManifest["integers"] = [],
): readonly Finding[] {
  const path = `${role}/weights.safetensors`;
  const bytes = files.get(path);
  if (!bytes) return [];
  const found = readTensors(bytes);
  if (!found) return [fileFinding("expected a file of integer tensors alone, in the one form that it has", path)];
  const declared = new Map(
    [...weights.values()]
      .filter(({ form }) => role === "server" || form === "public" || form === "disclosed")
      .map(({ tensor, shape }) => [tensor, shape.join()]),
  );
  const extra = [...found.keys()].filter((name) => !declared.has(name));
  const missing = [...declared.keys()].filter((name) => !found.has(name));
  const misshapen = [...found].filter(([name, { shape }]) => (declared.get(name) ?? shape.join()) !== shape.join());
  const others =
    role === "client" ? readTensors(files.get("server/weights.safetensors") ?? new Uint8Array(0)) : undefined;
  const different = [...(others ?? [])].filter(([name, theirs]) => {
    const mine = found.get(name);
    return mine !== undefined && Buffer.compare(mine.bytes, theirs.bytes) !== 0;
  });
  const listed = new Map(integers.map(({ tensor, sha256: digest }) => [tensor, digest]));
  const open = [...weights.values()].filter(({ form }) => form === "public" || form === "disclosed");
  const foreign = new Set(
    open.flatMap(({ tensor }) => {
      const held = found.get(tensor);
      return held && sha256(held.bytes) !== listed.get(tensor) ? [tensor] : [];
    }),
  );
  return [
    ...[...foreign].map((name) => fileFinding(`the integers of ${name} are not those of the manifest`, path)),
    ...extra.map((name) =>
      fileFinding(`the file has ${name}, which the program does not declare as known to the ${role}`, path),
    ),
    ...missing.map((name) => fileFinding(`the file lacks ${name}`, path)),
    ...misshapen.map(([name]) => fileFinding(`${name} has another shape than in the program`, path)),
    ...different.map(([name]) => fileFinding(`${name} has other values at the server`, path)),
  ];
}

const elementBytes: ReadonlyMap<string, number> = new Map([
  ["I16", 2],
  ["I32", 4],
  ["I64", 8],
]);

interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/**
 * The tensors of a safetensors file of integers without any other content: the header is the text that its tensors have,
 * in their order, and their bytes follow without gaps. Undefined for any other file.
 */
function readTensors(bytes: Uint8Array): ReadonlyMap<string, StoredTensor> | undefined {
  if (bytes.length < 8) return undefined;
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start));
    const header = Object.entries(JSON.parse(text) as Readonly<Record<string, HeaderEntry>>);
    // Keys that look like numbers come first in an object of JavaScript, whatever their order in the text.
    const entries = header.sort(
      ([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1],
    );
    // A length below zero would let two tensors share bytes, or a header end behind the file.
    if (!entries.every(([, { shape }]) => shape.every((length) => Number.isSafeInteger(length) && length >= 0)))
      return undefined;
    let at = 0;
    const tensors = entries.map(([name, { dtype, shape }]): [string, StoredTensor] => {
      const size = shape.reduce((product, length) => product * length, elementBytes.get(dtype)!);
      const from = start + at;
      at += size;
      return [name, { dtype, shape, bytes: bytes.subarray(from, from + size) }];
    });
    const written = tensors.map(([name, { dtype, shape, bytes: own }]) => {
      const from = own.byteOffset - bytes.byteOffset - start;
      return `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":${JSON.stringify(shape)},"data_offsets":[${from},${from + own.length}]}`;
    });
    const canonical = `{${written.join(",")}}`;
    const isWhole = start + at === bytes.length && tensors.every(([, { dtype }]) => elementBytes.has(dtype));
    const padded = canonical.padEnd(canonical.length + ((8 - (new TextEncoder().encode(canonical).length % 8)) % 8));
    return isWhole && padded === text ? new Map(tensors) : undefined;
  } catch {
    return undefined;
  }
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}
