import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import type { Program } from "../../runtime/program/index.ts";
import { fileDiagnostic, readWholeFile } from "../tensors/files/index.ts";
import type { Manifest } from "./manifest.ts";
import { weightDigests } from "./pack-weights.ts";
import { sha256 } from "./sha256.ts";

const maxBytes = 2 ** 32 - 2;
const recompile = "run `marillc compile` again, and copy the party's whole folder";

/** ONNX files of the client beside the program of the whole window, and beside those of parts of it. */
const graphsOf = { window: ["public.onnx", "head.onnx"], chunk: ["public-step.onnx", "head-step.onnx"] } as const;

/**
 * Recomputes, from the files that a party is about to use, every digest that the manifest has of them: the integers of
 * public weights at client and server, and the client's graphs. The handshakes then compare one digest, the manifest's.
 * @throws DiagnosticError MRL0617
 */
export function checkArtefacts(folder: string, role: Role, manifest: Manifest, programs: readonly Program[]): void {
  if (role === "dealer") return;
  const weightFile = join(folder, "weights.safetensors");
  const weights = readWholeFile(weightFile, maxBytes);
  throwIfAny([
    ...integerProblems(weights, weightFile, manifest, programs),
    ...(role === "client" ? graphProblems(folder, sha256(weights), manifest) : []),
  ]);
}

const differs = (at: string, what: string): Diagnostic =>
  fileDiagnostic("MRL0617", at, `expected ${what} with the SHA-256 of the manifest, found another`, recompile);

function integerProblems(
  weights: Uint8Array,
  at: string,
  { integers = [] }: Partial<Manifest>,
  programs: readonly Program[],
): readonly Diagnostic[] {
  const found = weightDigests(weights);
  const listed = new Map(integers.map(({ tensor, sha256: digest }) => [tensor, digest]));
  const used = programs.flatMap((program) => Object.values(program.weights));
  const open = new Set(used.flatMap(({ form, tensor }) => (form === "public" || form === "disclosed" ? [tensor] : [])));
  return [...open]
    .filter((tensor) => found.has(tensor) && found.get(tensor) !== listed.get(tensor))
    .map((tensor) => differs(at, `the integers of ${tensor}`));
}

function graphProblems(folder: string, weights: string, manifest: Manifest): readonly Diagnostic[] {
  const digests = (names: readonly string[]): readonly string[] =>
    names
      .map((name) => join(folder, name))
      .filter(existsSync)
      .map((path) => sha256(readWholeFile(path, maxBytes)));
  const hashOf = (programHash: string, graphs: readonly string[]): string =>
    sha256([programHash, weights, ...graphs].join("\n"));
  const window = digests(graphsOf.window);
  // Where the client computes its layers over the whole window for every token, the graphs are the same.
  const chunk = manifest.decode?.clear ? digests(graphsOf.chunk) : window;
  const chunks = manifest.decode ? [manifest.decode, ...(manifest.decode.windows ?? [])] : [];
  const sections = [{ ...manifest, graphs: window }, ...chunks.map((each) => ({ ...each, graphs: chunk }))];
  return sections.some(({ programHash, artefactsHash, graphs }) => hashOf(programHash, graphs) !== artefactsHash)
    ? [differs(folder, "public weights and graphs")]
    : [];
}
