import onnxProto, { type onnx as proto } from "onnx-proto";
import type { BuildFiles } from "../../../compiler/audit/party-files.ts";
import { writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { parseSafetensorsHeader } from "../../../compiler/tensors/safetensors-header.ts";
import { modelBytes } from "../onnx/format/build-model.ts";

const { onnx } = onnxProto;

function tensorsOf(bytes: Uint8Array) {
  const { entries } = parseSafetensorsHeader(bytes, bytes.length, "weights.safetensors");
  return entries.map(({ name, dtype, shape, offset, length }) => ({
    name,
    dtype,
    shape,
    bytes: bytes.slice(offset, offset + length),
  }));
}

/** A tensor of one weight file copied to another. */
export function withTensor(files: BuildFiles, path: string, tensor: string, from: string): BuildFiles {
  const more = tensorsOf(files.get(from)!).filter(({ name }) => name === tensor);
  if (more.length !== 1) throw new Error(`there is no ${tensor} in ${from}`);
  return new Map([...files, [path, writeSafetensors([...tensorsOf(files.get(path)!), ...more])]]);
}

export function appended(files: BuildFiles, path: string): BuildFiles {
  return new Map([...files, [path, Uint8Array.from([...files.get(path)!, 1, 2, 3, 4])]]);
}

/** The client's model with one more tensor; without a model, one with only that tensor. */
export function withInitializer(files: BuildFiles, tensor: proto.ITensorProto): BuildFiles {
  const path = "client/public.onnx";
  const bytes = files.get(path) ?? modelBytes({ name: "none" });
  return withModel(
    files,
    path,
    (model) => {
      model.graph!.initializer = [...(model.graph!.initializer ?? []), tensor];
    },
    bytes,
  );
}

/** The client's model, changed. */
export function withModel(
  files: BuildFiles,
  path: string,
  change: (model: proto.ModelProto) => void,
  bytes: Uint8Array = files.get(path)!,
): BuildFiles {
  const model = onnx.ModelProto.decode(bytes);
  change(model);
  return new Map([...files, [path, onnx.ModelProto.encode(model).finish()]]);
}
