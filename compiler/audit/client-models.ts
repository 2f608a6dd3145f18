import type { onnx as proto } from "onnx-proto";
import {
  allNodes,
  borderSizes,
  decodeGraph,
  graphsIn,
  nodesOutOfOrder,
  sizeOf,
  tensorsOf,
  wordsOf,
} from "./client-graph.ts";
import type { Finding } from "./finding.ts";
import { type BuildFiles, fileFinding, sha256 } from "./party-files.ts";
import type { ParsedManifest } from "./read-manifest.ts";

/** Up to 16 integers, or one real number, may stand in a graph without a digest: shapes, axes, an epsilon. */
const withoutDigest = { integers: 16, reals: 1 } as const;
/** All such numbers of a file: different reals, and integers for each node and output. */
const mostWithoutDigest = { reals: 64, integersPerPart: 64 } as const;
const realTypes: ReadonlySet<number> = new Set([1, 10, 11, 16, 17, 18, 19, 20]);

/**
 * Checks what the client computes in the clear. Every tensor in it is a public weight or a constant that the manifest
 * lists by digest. It takes inputs that the client has, and outputs the cut values, or the outputs after the secure
 * part.
 */
export function checkClientModels(files: BuildFiles, manifest: ParsedManifest): readonly Finding[] {
  const listed = digestsOf(manifest);
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

const digestsOf = (manifest: ParsedManifest): ReadonlySet<string> =>
  new Set([
    ...manifest.weights.flatMap(({ label, sha256: digest }) => (label === "public" && digest ? [digest] : [])),
    ...manifest.constants.map((constant) => constant.sha256),
  ]);

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
  const graph = decodeGraph(bytes);
  if (!graph) return [fileFinding("expected an ONNX graph and nothing more", path)];
  const names = (infos: readonly proto.IValueInfoProto[] | null | undefined): readonly string[] =>
    (infos ?? []).map(({ name }) => name ?? "");
  const foreign = names(graph.input).filter((name) => !inputs.has(name));
  const more = names(graph.output).filter((name) => !outputs.has(name));
  const less = [...outputs].filter((name) => !names(graph.output).includes(name));
  const tensors = tensorsOf(graph);
  const unlisted = tensors.filter((tensor) => !isSmall(tensor) && !isPublicTensor(tensor, publicDigests));
  const { reals, integers } = numbersWithoutDigest(graph, publicDigests);
  const mostIntegers = mostWithoutDigest.integersPerPart * (allNodes(graph).length + outputs.size);
  return [
    ...foreign.map((name) => fileFinding(`it takes ${name}, which the manifest does not give the client`, path)),
    ...more.map((name) => fileFinding(`it computes ${name}, which the manifest does not name`, path)),
    ...less.map((name) => fileFinding(`it does not compute ${name}`, path)),
    ...unlisted.map(({ name }) =>
      fileFinding(`tensor ${name} is not a public weight or constant of the manifest`, path),
    ),
    ...idleParts(graph).map((name) => fileFinding(`nothing reads ${name}`, path)),
    ...nodesOutOfOrder(graph).map((name) => fileFinding(`${name} is computed from what follows it`, path)),
    ...(reals > mostWithoutDigest.reals || integers > mostIntegers
      ? [fileFinding(`it has ${reals} different reals and ${integers} integers that no digest covers`, path)]
      : []),
  ];
}

/** What a check of the client's graphs does not read: numbers by the builder's word or without a digest, and words. */
export function unreadOfModel(bytes: Uint8Array, manifest: ParsedManifest): string {
  const graph = decodeGraph(bytes);
  if (!graph) return "all of it";
  const { reals, integers } = numbersWithoutDigest(graph, digestsOf(manifest));
  const words = wordsOf(graph);
  const letters = words.reduce((sum, word) => sum + word.length, 0);
  return `${reals} different reals and ${integers} integers of attributes, small constants and sizes; ${words.length} names and strings of ${letters} characters`;
}

/**
 * Numbers of tensors in the client's graphs that the manifest lists as constants, by name: that no private weight is
 * among them is the builder's word.
 */
export function constantsOfModel(bytes: Uint8Array, { weights, constants }: ParsedManifest): readonly ConstantTensor[] {
  const listed = new Map(constants.map(({ name, sha256: digest }) => [digest, name]));
  for (const { sha256: digest } of weights) if (digest) listed.delete(digest);
  return tensorsOf(decodeGraph(bytes) ?? {}).flatMap((tensor) => {
    const digest = isSmall(tensor) ? undefined : digestIn(tensor, listed);
    return digest === undefined ? [] : [{ name: listed.get(digest)!, numbers: sizeOf(tensor.dims) }];
  });
}

export interface ConstantTensor {
  readonly name: string;
  readonly numbers: number;
}

/** Nodes and tensors of the graph itself that no node and no output reads: they can only be there to be read by somebody. */
function idleParts(graph: proto.IGraphProto): readonly string[] {
  const readBy = (each: proto.IGraphProto): readonly string[] => [
    ...(each.node ?? []).flatMap(({ input }) => input ?? []),
    ...(each.output ?? []).map(({ name }) => name ?? ""),
    ...graphsIn(each).flatMap(readBy),
  ];
  const read = new Set(readBy(graph));
  return [
    ...(graph.initializer ?? []).map(({ name }) => name ?? "").filter((name) => !read.has(name)),
    ...(graph.node ?? [])
      .filter(({ output }) => !(output ?? []).some((name) => read.has(name)))
      .map(({ output, name }) => output?.[0] || name || "a node"),
  ];
}

/** Different reals and all integers that no digest covers: small constants, and attributes of one number. */
function numbersWithoutDigest(
  graph: proto.IGraphProto,
  publicDigests: ReadonlySet<string>,
): { readonly reals: number; readonly integers: number } {
  const small = tensorsOf(graph).filter((tensor) => isSmall(tensor) && !isPublicTensor(tensor, publicDigests));
  const attributes = allNodes(graph).flatMap(({ attribute }) => attribute ?? []);
  const isReal = ({ dataType }: proto.ITensorProto): boolean => realTypes.has(dataType ?? 0);
  const reals = new Set([
    ...small.filter(isReal).map(({ rawData }) => Buffer.from(rawData ?? []).toString("hex")),
    ...attributes.flatMap(({ type, f }) => (type === 1 ? [String(f)] : [])),
  ]);
  // Of an empty tensor, the sizes of its axes are all that it says.
  const counted = small.filter((tensor) => !isReal(tensor)).map(({ dims }) => sizeOf(dims) || (dims ?? []).length);
  const single = attributes.filter(({ type }) => type === 2).length;
  return { reals: reals.size, integers: counted.reduce((sum, count) => sum + count, single + borderSizes(graph)) };
}

/** Few enough numbers to stand in a graph without a digest. */
function isSmall({ dims, dataType, rawData }: proto.ITensorProto): boolean {
  const most = realTypes.has(dataType ?? 0) ? withoutDigest.reals : withoutDigest.integers;
  const count = sizeOf(dims);
  return count <= most && (rawData?.length ?? 0) <= 8 * count;
}

const isPublicTensor = (tensor: proto.ITensorProto, publicDigests: ReadonlySet<string>): boolean =>
  digestIn(tensor, publicDigests) !== undefined;

/** The digest of its bytes or of its transpose, since exporters transpose matrices, whichever is listed. */
function digestIn({ dims, rawData }: proto.ITensorProto, listed: { has(digest: string): boolean }): string | undefined {
  const shape = (dims ?? []).map(Number);
  if (!rawData) return undefined;
  const own = sha256(rawData);
  if (listed.has(own) || shape.length !== 2) return listed.has(own) ? own : undefined;
  const turned = sha256(transposeBytes(rawData, shape[0]!, shape[1]!));
  return listed.has(turned) ? turned : undefined;
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
