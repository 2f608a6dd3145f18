import { fail } from "../../ir/diagnostic.ts";
import { readWholeFile } from "../tensors/files/index.ts";
import type { StudentManifest } from "./student-manifest.ts";

const maxManifestBytes = 100_000_000;

/** Whether a path is a student's manifest, by its name. */
export const isStudentManifest = (path: string): boolean => path.endsWith(".manifest.json");

/** Reads a manifest that `marillc rewrite` wrote. Errors: MRL0687. */
export function readStudentManifest(path: string): StudentManifest {
  const text = new TextDecoder().decode(readWholeFile(path, maxManifestBytes));
  try {
    const found = JSON.parse(text) as Partial<StudentManifest>;
    const isOne = found.schema === 1 && typeof found.source === "string" && Array.isArray(found.weights);
    if (isOne && typeof found.layers?.frozen === "number") return found as StudentManifest;
  } catch {
    // Not JSON: the same fault to whoever named the file.
  }
  return fail({
    code: "MRL0687",
    message: "expected a student's manifest",
    at: path,
    help: "give the .manifest.json that marillc rewrite wrote beside the student",
  });
}
