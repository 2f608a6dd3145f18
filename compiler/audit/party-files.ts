import { createHash } from "node:crypto";
import onnxProto, { type onnx as proto } from "onnx-proto";
import type { Finding } from "./finding.ts";
import type { ParsedProgramText } from "./parse-program.ts";
import type { ParsedManifest } from "./read-manifest.ts";

const { onnx } = onnxProto;

/** Files of a build by path, such as `client/program.ts`. */
export type BuildFiles = ReadonlyMap<string, Uint8Array>;

export const sha256 = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");

const fileFinding = (message: string, at: string): Finding => ({ code: "MRL0912", message, at });

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
): readonly Finding[] {
  const path = `${role}/weights.safetensors`;
  const bytes = files.get(path);
  if (!bytes) return [];
  const found = readTensors(bytes);
  if (!found) return [fileFinding("expected a file of tensors alone, without gaps", path)];
  const declared = new Set(
    [...weights.values()]
      .filter(({ form }) => role === "server" || form === "public" || form === "disclosed")
      .map(({ tensor }) => tensor),
  );
  const extra = [...found.keys()].filter((name) => !declared.has(name));
  const missing = [...declared].filter((name) => !found.has(name));
  const others =
    role === "client" ? readTensors(files.get("server/weights.safetensors") ?? new Uint8Array(0)) : undefined;
  const different = [...(others ?? [])].filter(([name, theirs]) => {
    const mine = found.get(name);
    return mine !== undefined && Buffer.compare(mine, theirs) !== 0;
  });
  return [
    ...extra.map((name) =>
      fileFinding(`the file has ${name}, which the program does not declare as known to the ${role}`, path),
    ),
    ...missing.map((name) => fileFinding(`the file lacks ${name}`, path)),
    ...different.map(([name]) => fileFinding(`${name} has other values at the server`, path)),
  ];
}

/** Bytes of each tensor of a safetensors file without any other content; undefined for any other file. */
function readTensors(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> | undefined {
  if (bytes.length < 8) return undefined;
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (start > bytes.length) return undefined;
  try {
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start))) as Readonly<
      Record<string, { readonly data_offsets: readonly [number, number] }>
    >;
    const ranges = Object.entries(header)
      .map(
        ([
          name,
          {
            data_offsets: [from, to],
          },
        ]) => ({ name, from: start + from, to: start + to }),
      )
      .sort((a, b) => a.from - b.from || a.to - b.to);
    const ends = [start, ...ranges.map(({ to }) => to)];
    const isGapless = ranges.every(({ from }, k) => from === ends[k]) && ends.at(-1) === bytes.length;
    return isGapless ? new Map(ranges.map(({ name, from, to }) => [name, bytes.subarray(from, to)])) : undefined;
  } catch {
    return undefined;
  }
}

/** Up to 16 integers, or one real number, always belong to the graph: shapes, axes, an epsilon. */
const alwaysPublicSizes = { integers: 16, reals: 1 } as const;
const realTypes: ReadonlySet<number> = new Set([1, 10, 11, 16, 17, 18, 19, 20]);

/**
 * Checks what the client computes in the clear. Every tensor in it is a public weight or a constant that the manifest
 * lists by digest. It takes inputs that the client has, and outputs the cut values, or the outputs after the secure
 * part.
 */
export function checkClientModels(files: BuildFiles, manifest: ParsedManifest): readonly Finding[] {
  const listed = new Set([
    ...manifest.weights.flatMap(({ label, sha256: digest }) => (label === "public" && digest ? [digest] : [])),
    ...manifest.constants.map((constant) => constant.sha256),
  ]);
  const own = manifest.inputs.filter(({ label }) => label === "client" || label === "public").map(({ name }) => name);
  const given = new Set(manifest.inputs.map(({ name }) => name));
  const cuts = manifest.cuts.map(({ tensor }) => tensor).filter((tensor) => !given.has(tensor));
  // The decode graphs take positions, and pass keys and values of the client's own layers to themselves.
  const { places, kept = [] } = manifest.clear ?? {};
  const here = places === undefined ? [] : [places];
  const [before, after] = [kept.map(({ past }) => past), kept.map(({ present }) => present)];
  const computed = [...cuts, ...manifest.clientOutputs.filter((name) => !given.has(name))];
  const [revealed, outputs] = [manifest.tails.map(({ from }) => from), manifest.tails.map(({ output }) => output)];
  const models: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["client/public.onnx", [...own, ...here, ...before], [...computed, ...after]],
    ["client/head.onnx", [...revealed, ...here], outputs],
  ];
  return models.flatMap(([path, takes, gives]) => {
    const bytes = files.get(path);
    if (!bytes)
      return gives.length > 0 ? [fileFinding(`the file is missing: it computes ${gives.join(", ")}`, path)] : [];
    return checkModelFile(bytes, path, { publicDigests: listed, inputs: new Set(takes), outputs: new Set(gives) });
  });
}

interface ExpectedModel {
  readonly publicDigests: ReadonlySet<string>;
  readonly inputs: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
}

function checkModelFile(
  bytes: Uint8Array,
  path: string,
  { publicDigests, inputs, outputs }: ExpectedModel,
): readonly Finding[] {
  let model: proto.ModelProto;
  try {
    model = onnx.ModelProto.decode(bytes);
  } catch {
    return [fileFinding("expected an ONNX model", path)];
  }
  const { graph, functions, metadataProps, docString } = model;
  const plain = functions.length === 0 && metadataProps.length === 0 && !docString;
  // An encoder does not write what a decoder skips, so no byte hides between the fields.
  const isCanonical = Buffer.compare(onnx.ModelProto.encode(model).finish(), bytes) === 0;
  if (!graph || !plain || !isCanonical) return [fileFinding("the file holds more than a graph", path)];
  const names = (infos: readonly proto.IValueInfoProto[] | null | undefined): readonly string[] =>
    (infos ?? []).map(({ name }) => name ?? "");
  const foreign = names(graph.input).filter((name) => !inputs.has(name));
  const more = names(graph.output).filter((name) => !outputs.has(name));
  const less = [...outputs].filter((name) => !names(graph.output).includes(name));
  const unlisted = tensorsOf(graph).filter((tensor) => !isPublicTensor(tensor, publicDigests));
  return [
    ...foreign.map((name) => fileFinding(`it takes ${name}, which the manifest does not give the client`, path)),
    ...more.map((name) => fileFinding(`it computes ${name}, which the manifest does not name`, path)),
    ...less.map((name) => fileFinding(`it does not compute ${name}`, path)),
    ...unlisted.map(({ name }) =>
      fileFinding(`tensor ${name} is not a public weight or constant of the manifest`, path),
    ),
  ];
}

/** Initializers and tensors in attributes, in nested graphs too. */
function tensorsOf(graph: proto.IGraphProto): readonly proto.ITensorProto[] {
  const attributes = (graph.node ?? []).flatMap(({ attribute, name }) =>
    (attribute ?? []).map((each) => ({ ...each, owner: name ?? "" })),
  );
  const inAttributes = attributes.flatMap(({ t, tensors, floats, ints, owner }) => [
    ...[...(t ? [t] : []), ...(tensors ?? [])].map((tensor) => ({ ...tensor, name: tensor.name || owner })),
    ...(floats && floats.length > 0 ? [attributeTensor(owner, 1, Float32Array.from(floats))] : []),
    ...(ints && ints.length > 0
      ? [
          attributeTensor(
            owner,
            7,
            BigInt64Array.from(ints, (n) => BigInt(String(n))),
          ),
        ]
      : []),
  ]);
  const nested = attributes.flatMap(({ g, graphs }) => [...(g ? [g] : []), ...(graphs ?? [])]);
  return [...(graph.initializer ?? []), ...inAttributes, ...nested.flatMap(tensorsOf)];
}

/** The values of an attribute as a tensor. */
const attributeTensor = (name: string, dataType: number, { buffer, length }: Float32Array | BigInt64Array) => ({
  name,
  dataType,
  dims: [length],
  rawData: new Uint8Array(buffer),
});

/** Compares the digest of its bytes, or of its transpose: exporters transpose matrices. */
function isPublicTensor({ dims, dataType, rawData }: proto.ITensorProto, publicDigests: ReadonlySet<string>): boolean {
  const shape = (dims ?? []).map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  const most = realTypes.has(dataType ?? 0) ? alwaysPublicSizes.reals : alwaysPublicSizes.integers;
  if (count <= most && (rawData?.length ?? 0) <= 16 * most) return true;
  if (!rawData) return false;
  if (publicDigests.has(sha256(rawData))) return true;
  return shape.length === 2 && publicDigests.has(sha256(transposeBytes(rawData, shape[0]!, shape[1]!)));
}

/** Elements by their size in bytes. */
const elementViews = new Map<number, (bytes: Uint8Array) => Uint8Array | Uint16Array | Uint32Array | BigUint64Array>([
  [1, (bytes) => bytes],
  [2, ({ buffer }) => new Uint16Array(buffer)],
  [4, ({ buffer }) => new Uint32Array(buffer)],
  [8, ({ buffer }) => new BigUint64Array(buffer)],
]);

/** Bytes of the transpose; empty where the element size is unknown. */
function transposeBytes(bytes: Uint8Array, rows: number, columns: number): Uint8Array {
  const view = elementViews.get(bytes.length / (rows * columns));
  if (!view) return new Uint8Array(0);
  const out = new Uint8Array(bytes.length);
  const [from, to] = [view(Uint8Array.from(bytes)), view(out)];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) to[column * rows + row] = from[row * columns + column]!;
  }
  return out;
}
