import { unreadOfModel } from "./client-models.ts";
import type { BuildFiles } from "./party-files.ts";
import type { ParsedManifest } from "./read-manifest.ts";
import { unreadOfTokenizer } from "./tokenizer-files.ts";

/** What a check leaves unread in a file, by its name. */
const byName: Readonly<Record<string, (bytes: Uint8Array, manifest: ParsedManifest) => string>> = {
  "client/public.onnx": unreadOfModel,
  "client/head.onnx": unreadOfModel,
  "client/tokenizer.json": unreadOfTokenizer,
  "client/tokenizer_config.json": unreadOfTokenizer,
  "server/private.onnx": () => "all of it: it stays with the server",
};

const lettersIn = (value: unknown): number => JSON.stringify(value ?? "").length;

/** Names, figures and texts that a build carries and no rule reads, so that a reader knows where to look. */
export function unreadParts(files: BuildFiles, manifest: ParsedManifest | undefined): readonly string[] {
  if (!manifest) return [];
  const said = manifest as unknown as Readonly<Record<string, unknown>>;
  const texts = ["inexact", "calibration"].reduce((sum, field) => sum + lettersIn(said[field]), 0);
  const reasons = manifest.weights.reduce(
    (sum, { name, ...more }) => sum + lettersIn([name, "why" in more ? more.why : ""]),
    0,
  );
  const parts = Object.entries(byName).flatMap(([path, of]) => {
    const bytes = files.get(path);
    return bytes ? [`${path}: ${of(bytes, manifest)}`] : [];
  });
  return [
    `manifest.json: names and reasons of weights (${reasons} characters), kinds and sources of errors (${texts}), predicted figures`,
    "programs and program.mir: names of nodes, how comments spread the traffic over steps",
    ...parts,
  ];
}
