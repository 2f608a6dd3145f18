import type { BuildFiles } from "./party-files.ts";

/**
 * A build as seen by one of its further programs: that program replaces the window's, with its own part of the
 * manifest.
 */
export interface ProgramView {
  /** Name of its files. */
  readonly name: string;
  readonly files: BuildFiles;
  /** The file of the build that a finding in the view refers to. */
  readonly fileOf: (at: string) => string;
}

export interface ProgramViews {
  readonly prefill: BuildFiles;
  /** The program for one position, and those for shorter windows. */
  readonly further: readonly ProgramView[];
}

/** Files of programs for a part of the window, and of the client's own layers beside them. */
const isChunkFile = /(^|\/)((decode|window-\d+)\.(ts|js|mir)|(public|head)-step\.onnx)$/;
const isProgram = /(^|\/)program\.(ts|js|mir)$/;
const isManifest = /(^|\/)manifest\.json$/;

const chunkFields = ["programHash", "artefactsHash", "cuts", "reveals", "guard", "clear", "predicted"];
const takeAt = (from: object, names: readonly string[]): object =>
  Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));

/** The manifest of each further program, by the name of its files. */
function chunkManifests(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  try {
    const { decode, predicted, ...rest } = JSON.parse(new TextDecoder().decode(bytes)) as WholeManifest;
    if (!decode) return new Map();
    // Owners, inputs and everything not listed here hold for all programs; the client's own layers, for all but the
    // window's.
    const { windows = [], clear } = decode;
    const of = (own: ChunkFields): Uint8Array => {
      // The setup is that of the session.
      const traffic = own.predicted && { predicted: { ...predicted, ...own.predicted } };
      const fields = takeAt({ clear, ...own, ...traffic }, chunkFields);
      return new TextEncoder().encode(`${JSON.stringify({ ...rest, ...fields }, undefined, 2)}\n`);
    };
    return new Map([["decode", of(decode)], ...windows.map((each) => [`window-${each.places}`, of(each)] as const)]);
  } catch {
    return new Map();
  }
}

interface ChunkFields {
  readonly predicted?: object;
}
interface WholeManifest extends ChunkFields {
  readonly decode?: ChunkFields & {
    readonly clear?: object;
    readonly windows?: readonly (ChunkFields & { readonly places: number })[];
  };
}

/** All programs of a build are checked alike, each with its part of the manifest. */
export function programViews(files: BuildFiles): ProgramViews {
  const manifests = new Map(
    [...files].flatMap(([path, bytes]) => (isManifest.test(path) ? [[path, chunkManifests(bytes)] as const] : [])),
  );
  const names = new Set([...manifests.values()].flatMap((each) => [...each.keys()]));
  // A build whose manifest lists no second program has no file of one; likewise for a third one that no manifest lists.
  if (names.size === 0) return { prefill: files, further: [] };
  const named = (path: string): boolean => {
    const own = /(?:^|\/)(decode|window-\d+)\./.exec(path);
    return own ? names.has(own[1]!) : isChunkFile.test(path);
  };
  const prefill = new Map([...files].filter(([path]) => !named(path)));
  return { prefill, further: [...names].map((name) => chunkView(files, name, manifests, named)) };
}

function chunkView(
  files: BuildFiles,
  name: string,
  manifests: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>,
  named: (path: string) => boolean,
): ProgramView {
  const isOwn = (path: string): boolean => path.endsWith("-step.onnx") || new RegExp(`(^|/)${name}\\.`).test(path);
  const asPrefill = (path: string): string =>
    path.replace(new RegExp(`(^|/)${name}\\.`), "$1program.").replace(/-step\.onnx$/, ".onnx");
  const own = [...files.keys()].filter((path) => named(path) && isOwn(path));
  const steps = new Map(own.map((path) => [asPrefill(path), path]));
  const view = [...files].flatMap(([path, bytes]): [string, Uint8Array][] => {
    if (named(path)) return isOwn(path) ? [[asPrefill(path), bytes]] : [];
    // A file of the window's program without a counterpart here is missing in the view.
    if (steps.has(path) || isProgram.test(path)) return [];
    return [[path, manifests.get(path)?.get(name) ?? bytes]];
  });
  const fileOf = (at: string): string => steps.get(at) ?? at.replace(/(^|\/)program\./, `$1${name}.`);
  return { name, files: new Map(view), fileOf };
}
