import { readdirSync } from "node:fs";
import { join } from "node:path";

const fixtures = join(import.meta.dirname, "../../fixtures");

/** Small models of both exporters of torch, each with its test data. */
export const models = join(fixtures, "models");
/** Tests of single operators, of the ONNX project. */
export const nodeTests = join(fixtures, "onnx-node");

/** Names of the folders in a folder, sorted. */
export function foldersOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}
