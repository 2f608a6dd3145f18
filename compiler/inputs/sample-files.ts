import { readdirSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { Tensor } from "../../ir/tensor.ts";
import { readInputTensors } from "./input-tensors.ts";

/** A folder of ONNX test data in the layout of the ONNX project: input_0.pb, input_1.pb, …, output_0.pb. */
const dataSetFolder = /^test_data_set_\d+$/;

/** Tensors by name, one map per sample. */
export type SampleInputs = ReadonlyMap<string, Tensor>;

/**
 * Reads the samples of a file or folder. An .npz file is one sample. The files input_N.pb of a folder are one sample,
 * as a .pb holds one tensor; any other .pb is a sample of its own. Folders test_data_set_N are read too, without their
 * expected outputs (output_N.pb). `names` are the model's inputs in order, for tensors without a name.
 */
export function readSampleFiles(path: string, names: readonly string[]): readonly SampleInputs[] {
  if (!statSync(path).isDirectory()) return [nameTensors(readInputTensors(path), names)];
  const numbered = new Map<number, string>();
  const samples: SampleInputs[] = [];
  for (const file of readdirSync(path).sort()) {
    const [, kind, index] = /^(input|output)_(\d+)\.pb$/.exec(file) ?? [];
    if (kind === "input") numbered.set(Number(index), join(path, file));
    else if (kind === "output") continue;
    else if (dataSetFolder.test(file)) samples.push(...readSampleFiles(join(path, file), names));
    else if ([".npz", ".pb"].includes(extname(file)))
      samples.push(nameTensors(readInputTensors(join(path, file)), names));
  }
  return numbered.size > 0 ? [joinTensors(numbered, names), ...samples] : samples;
}

/** A single tensor always feeds a single input, whatever its name. */
function nameTensors(tensors: ReturnType<typeof readInputTensors>, names: readonly string[]): SampleInputs {
  const [only] = tensors.values();
  if (tensors.size === 1 && names.length === 1) return new Map([[names[0]!, only!.tensor]]);
  return new Map([...tensors].map(([name, { tensor }]) => [name, tensor]));
}

/** By the name in the file, else by the index of the input. */
function joinTensors(files: ReadonlyMap<number, string>, names: readonly string[]): SampleInputs {
  return new Map(
    [...files].flatMap(([index, file]) =>
      [...readInputTensors(file)].map(([name, { tensor }]): [string, Tensor] => {
        return [names.includes(name) ? name : (names[index] ?? basename(file)), tensor];
      }),
    ),
  );
}
