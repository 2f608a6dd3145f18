import { type ConstantTensor, constantsOfModel, unreadOfModel } from "./client-models.ts";
import type { BuildFiles } from "./party-files.ts";
import type { ParsedManifest } from "./read-manifest.ts";
import { unreadOfTokenizer } from "./tokenizer-files.ts";

const clientGraphs = ["client/public.onnx", "client/head.onnx"];
/** What a check leaves unread in a file that all programs share, by its name. */
const byName: Readonly<Record<string, (bytes: Uint8Array) => string>> = {
  "client/tokenizer.json": unreadOfTokenizer,
  "client/tokenizer_config.json": unreadOfTokenizer,
  "server/private.onnx": () => "all of it: it stays with the server",
};
/** Fields of the manifest that rules read, or that the report quotes or counts by itself. */
const readFields: ReadonlySet<string> = new Set(
  (
    "name setting security schema compiler truncation numerics programHash artefactsHash weights integers cuts serverCuts tails clientOutputs reveals " +
    "caveats roles sharedInputs sharedOutputs guard rings predicted clear decode"
  ).split(" "),
);

const lettersIn = (value: unknown): number => JSON.stringify(value ?? "").length;

/** What a check leaves unread in the client's graphs for one program, by file. */
export const unreadGraphs = (files: BuildFiles, manifest: ParsedManifest): readonly (readonly [string, string])[] =>
  clientGraphs.flatMap((path) => {
    const bytes = files.get(path);
    return bytes ? [[path, unreadOfModel(bytes, manifest)] as const] : [];
  });

export const constantsOfGraphs = (files: BuildFiles, manifest: ParsedManifest): readonly ConstantTensor[] =>
  clientGraphs.flatMap((path) => constantsOfModel(files.get(path) ?? new Uint8Array(0), manifest));

/** Names, figures and texts that a build carries and no rule reads, so that a reader knows where to look. */
export function unreadParts(files: BuildFiles, manifest: ParsedManifest): readonly string[] {
  const rest = Object.entries(manifest).filter(([field]) => !readFields.has(field));
  const reasons = manifest.weights.reduce(
    (sum, { name, ...more }) => sum + lettersIn([name, "why" in more ? more.why : ""]),
    0,
  );
  const sizes = rest.map(([field, value]) => `${field} ${lettersIn(value)}`).join(", ");
  return [
    `manifest.json, in characters: names and reasons of weights ${reasons}, ${sizes}; predicted figures`,
    "programs and program.mir: names of nodes, how comments spread the traffic over steps",
    ...Object.entries(byName).flatMap(([path, of]) => {
      const bytes = files.get(path);
      return bytes ? [`${path}: ${of(bytes)}`] : [];
    }),
  ];
}
