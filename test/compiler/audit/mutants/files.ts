import type { BuildFiles } from "../../../../compiler/audit/party-files.ts";
import { floatTensor } from "../../onnx/format/build-model.ts";
import { resealed } from "../builds.ts";
import { appended, withInitializer, withTensor } from "../files.ts";
import { type Mutant, renamed } from "./edits.ts";

/** Files that a folder must not hold, or with other bytes. */
export const files: readonly Mutant[] = [
  { what: "a program less", codes: ["MRL0913"], of: (files) => without(files, "dealer/program.js") },
  {
    what: "a private weight in the client's folder",
    codes: ["MRL0912", "MRL0914"],
    of: (files) => withTensor(files, "client/weights.safetensors", "model.k.bias@24", "server/weights.safetensors"),
  },
  {
    what: "a private weight in the client's folder, digests made to fit",
    codes: ["MRL0912"],
    of: (files) =>
      resealed(withTensor(files, "client/weights.safetensors", "model.k.bias@24", "server/weights.safetensors")),
  },
  {
    what: "bytes behind the client's weights",
    codes: ["MRL0912"],
    of: (files) => resealed(appended(files, "client/weights.safetensors")),
  },
  {
    what: "a public weight with other numbers at the client",
    codes: ["MRL0912"],
    of: (files) => resealed(flipped(files, "client/weights.safetensors")),
  },
  {
    what: "weights in the dealer's folder",
    codes: ["MRL0912"],
    of: renamed(["server/weights.safetensors", "dealer/weights.safetensors"]),
  },
  {
    what: "a file more in the client's folder",
    codes: ["MRL0912"],
    of: (files) => new Map([...files, ["client/notes.txt", new Uint8Array(1)]]),
  },
  {
    what: "a file more beside the folders",
    codes: ["MRL0912"],
    of: (files) => new Map([...files, ["more.js", new Uint8Array(1)]]),
  },
  {
    what: "a model at the client that nothing names",
    codes: ["MRL0912"],
    of: (files) => resealed(withInitializer(files, floatTensor("w", [2], [1, 2]))),
  },
];

function without(files: BuildFiles, path: string): BuildFiles {
  if (!files.has(path)) throw new Error(`there is no ${path}`);
  return new Map([...files].filter(([each]) => each !== path));
}

function flipped(files: BuildFiles, path: string): BuildFiles {
  const bytes = files.get(path)!.slice();
  bytes[bytes.length - 1]! ^= 1;
  return new Map([...files, [path, bytes]]);
}
