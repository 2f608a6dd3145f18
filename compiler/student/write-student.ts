import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import { canonicalJson } from "../build/index.ts";
import { readTokenizerFiles } from "../inputs/index.ts";
import { makeFolder, writeWholeFile } from "../tensors/files/index.ts";
import type { Student } from "./make-student.ts";

export interface StudentPaths {
  readonly model: string;
  readonly data: string;
  readonly manifest: string;
}

/** Paths of `student.onnx`, `student.weights` (where its model stores weights outside) and `student.manifest.json`. */
export function studentPaths(output: string): StudentPaths {
  const stem = join(dirname(output), basename(output).replace(/\.onnx$/, ""));
  return { model: output, data: `${stem}.weights`, manifest: `${stem}.manifest.json` };
}

/** Writes a student. Never overwrites the source model, whose weights are read during the write. Errors: MRL0685. */
export function writeStudent(files: StudentPaths, source: string, { model, data, manifest }: Student): void {
  makeFolder(dirname(files.model));
  const taken = new Set([realpathSync(source)]);
  for (const path of Object.values(files)) {
    if (taken.has(join(realpathSync(dirname(path)), basename(path)))) {
      fail({
        code: "MRL0685",
        message: "the student would overwrite its source",
        at: path,
        help: "give another file with -o",
      });
    }
  }
  if (data.length > 0) writeWholeFile(files.data, ...data);
  writeWholeFile(files.model, model);
  writeWholeFile(files.manifest, new TextEncoder().encode(canonicalJson(manifest)));
  // The tokenizer files beside the model stay valid: only weights change.
  for (const [name, bytes] of readTokenizerFiles(dirname(source))) {
    const to = join(dirname(files.model), name);
    if (!existsSync(to)) writeWholeFile(to, bytes);
  }
}
