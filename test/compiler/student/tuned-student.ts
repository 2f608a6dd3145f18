import { readFileSync, writeFileSync } from "node:fs";
import { joinBytes } from "../../../compiler/onnx/format/protobuf-edit.ts";
import { readTensor } from "../../../compiler/onnx/format/read-tensor.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { applyPatch, emptyPatch } from "../../../compiler/student/model-patch.ts";
import { encodeElements } from "../../../compiler/tensors/element-codecs.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";

/** A model after training: the named weights have changed, all others equal the student's bit for bit. */
export function tune(student: string, out: string, names: readonly string[], size = 0.1): void {
  const model = readModel(student);
  const tensors = names.map((name, at) => {
    const tensor = model.graph.initializers.get(name)!;
    const was = readTensor(model, tensor);
    const moves = numbers(was.data.length, 1000 + at, size);
    const data = was.data.map((value, index) => Math.fround(value + moves[index]!));
    return { ...tensor, source: { kind: "inline" as const, bytes: encodeElements("float32", data) } };
  });
  const patch = { ...emptyPatch, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
  const dataFile = `${out
    .split("/")
    .at(-1)!
    .replace(/\.onnx$/, "")}.weights`;
  const { model: bytes, data } = applyPatch(new Uint8Array(readFileSync(student)), model, patch, dataFile);
  writeFileSync(out, bytes);
  if (data.length > 0) writeFileSync(out.replace(/\.onnx$/, ".weights"), joinBytes(data.map((read) => read())));
}
