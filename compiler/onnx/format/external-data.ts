import { realpathSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fail } from "../../../ir/diagnostic.ts";
import { readFileRange } from "../../tensors/files/index.ts";
import type { TensorSource } from "./model-records.ts";

type ExternalSource = Extract<TensorSource, { kind: "external" }>;

/**
 * Why a location is unsafe; undefined when its text is safe. A model must not read other files of the machine that
 * compiles it: CVE-2022-25882, CVE-2024-27318 (`sub/../../`), CVE-2026-27489 (symbolic links).
 */
export function locationFault(location: string): string | undefined {
  if (location === "") return "it is empty";
  if (location.includes("\0")) return "it contains a NUL character";
  if (/^[/\\]|^[A-Za-z]:/.test(location)) return "it is absolute";
  if (location.split(/[/\\]/).includes("..")) return 'it contains ".."';
  return undefined;
}

/**
 * Reads the bytes of an external tensor by range: data files above 2 GB are common. Symbolic links may lead to the
 * folder of the model, or to that of the target of the model's own link, and nowhere else: the Hugging Face cache links
 * model and data into one `blobs` folder (onnxruntime#27353). Errors: MRL0116, MRL0117.
 */
export function readExternalData(modelFile: string, tensorName: string, source: ExternalSource): Uint8Array {
  const at = `${modelFile}, tensor "${tensorName}", external data "${source.location}"`;
  const fault = locationFault(source.location);
  if (fault) refuseExternal(at, fault);
  const path = join(dirname(modelFile), source.location);
  let real: string;
  let folders: string[];
  try {
    folders = [realpathSync(dirname(modelFile)), dirname(realpathSync(modelFile))];
    real = realpathSync(path);
  } catch {
    return fail({
      code: "MRL0117",
      message: "the file of external data does not exist",
      at,
      help: `copy it to ${path}, beside the model`,
    });
  }
  if (!folders.some((folder) => real.startsWith(folder.endsWith(sep) ? folder : folder + sep))) {
    refuseExternal(at, "it leads out of the model's folder through a symbolic link");
  }
  return readFileRange(real, source.offset, source.length, { at, code: "MRL0117" }, "refuse");
}

function refuseExternal(at: string, fault: string): never {
  return fail({
    code: "MRL0116",
    message: `the location of external data is refused because ${fault}`,
    at,
    help: "external data must lie in the folder of the model or below",
  });
}
