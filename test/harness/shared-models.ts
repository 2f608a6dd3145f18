import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** Models outside of the repository, in a folder beside it. */
export const sharedModels = join(root, "../shared/models");
export const sharedNodeTests = join(root, "../shared/onnx-node");

/** The shared models by folder name; none when the folder is missing. */
export function sharedModelNames(): string[] {
  return existsSync(sharedModels) ? foldersOf(sharedModels) : [];
}

export function foldersOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** Runs the tests only if the folder exists; otherwise the report shows them as skipped, with the reason. */
export function describeIfPresent(folder: string, name: string, body: () => void): void {
  if (existsSync(folder)) describe(name, body);
  else it.skip(`${name}: ${folder} is not here`);
}
