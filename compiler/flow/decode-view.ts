import type { Files } from "./holdings.ts";

/** A build as the program of one place has it: that program in the place of the window's, and what differs of its manifest. */
export interface Views {
  readonly window: Files;
  readonly decode?: Files;
  /** The file of the build that a finding in the view of one place is about. */
  readonly fileOf: (at: string) => string;
}

/** Files of the program of one place, and of the client's own layers beside it; what they are for the whole window. */
const isDecode = /(^|\/)(decode\.(ts|js|mir)|(public|head)-step\.onnx)$/;
const asWindow = (path: string): string =>
  path.replace(/(^|\/)decode\./, "$1program.").replace(/-step\.onnx$/, ".onnx");
const isManifest = /(^|\/)manifest\.json$/;

const ofOnePlace = ["programHash", "artefactsHash", "cuts", "reveals", "clear"];
const pick = (from: object, names: readonly string[]): object =>
  Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));

/** What a manifest says of the program of one place; undefined where it knows of none. */
function overridden(bytes: Uint8Array): Uint8Array | undefined {
  try {
    const { decode, ...rest } = JSON.parse(new TextDecoder().decode(bytes)) as Readonly<Record<string, object>>;
    // Owners, inputs and all that is not named here hold of both programs.
    return decode && new TextEncoder().encode(JSON.stringify({ ...rest, ...pick(decode, ofOnePlace) }));
  } catch {
    return undefined;
  }
}

/** Both programs of a build are checked alike, each with its part of the manifest. */
export function viewsOf(files: Files): Views {
  const manifests = [...files].filter(([path]) => isManifest.test(path));
  const views = new Map(manifests.map(([path, bytes]) => [path, overridden(bytes)]));
  // A build whose manifest knows of no second program has no file of one.
  if (![...views.values()].some((bytes) => bytes)) return { window: files, fileOf: (at) => at };
  const entries = [...files].filter(([path]) => !isDecode.test(path));
  const steps = new Map([...files].flatMap(([path]) => (isDecode.test(path) ? [[asWindow(path), path] as const] : [])));
  const decode = [...files].flatMap(([path, bytes]): [string, Uint8Array][] => {
    if (isDecode.test(path)) return [[asWindow(path), bytes]];
    // A file of the window's program that one place has none of is missing there.
    if (steps.has(path) || /(^|\/)program\.(ts|js|mir)$/.test(path)) return [];
    return [[path, views.get(path) ?? bytes]];
  });
  const fileOf = (at: string): string => steps.get(at) ?? at.replace(/(^|\/)program\./, "$1decode.");
  return { window: new Map(entries), decode: new Map(decode), fileOf };
}
