import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import onnxProto from "onnx-proto";
import { readPeftAdapter } from "../../../compiler/adapters/peft-adapter.ts";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { compileModel } from "../../../compiler/compile/compile.ts";
import { readInputTensors } from "../../../compiler/inputs/input-tensors.ts";
import { writeNpz } from "../../../compiler/tensors/npz.ts";
import { openSafetensors, readSafetensor } from "../../../compiler/tensors/safetensors.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";

const { onnx } = onnxProto;

/** A file as an attacker would write it, and the required outcome. */
export interface HostileCase {
  readonly name: string;
  /** Contents by path in the folder; the test opens the first. */
  readonly files: () => Readonly<Record<string, Uint8Array>>;
  /** Symbolic links by their path, with their target; `OUTSIDE` is a folder beside the model's. */
  readonly links?: Readonly<Record<string, string>>;
  /** The file is unusual but valid: it must be accepted. */
  readonly valid?: true;
}

export interface HostileClass {
  readonly name: string;
  /** Reads the first file. */
  readonly open: (path: string, folder: string) => unknown;
  /** Codes that may refuse it: a refusal for another reason fails the test. */
  readonly codes: readonly string[];
  readonly cases: readonly HostileCase[];
}

const sample = { dtype: "float32", tensor: { shape: [1, 4], data: Float64Array.of(0.5, 1, 0.25, 2) } } as const;

/** Compiles with the weights that match the pattern private, against a base with the same names and other values. */
export function compile(model: string, folder: string, owned = "*") {
  const base = join(folder, "base.onnx");
  writeFileSync(base, publicCounterpart(readFileSync(model), owned.replace("*", "")));
  const calibrate = join(folder, "calibration");
  mkdirSync(calibrate);
  writeFileSync(join(calibrate, "sample.npz"), writeNpz(new Map([["x", sample]])));
  return compileModel(resolveModelOptions({ model, base, calibrate, private: [owned], reveal: { y: "client" } }));
}

/** The same model with 0.75 for every real number of matching weights; an unreadable model stays as it is. */
function publicCounterpart(bytes: Uint8Array, prefix: string): Uint8Array {
  // A bomb would explode here, where no check runs.
  if (bytes.length > 2 ** 20) return bytes;
  try {
    const message = onnx.ModelProto.decode(bytes);
    for (const tensor of message.graph?.initializer ?? []) {
      const count = (tensor.dims ?? []).reduce<number>((product, dim) => product * Number(dim), 1);
      if (tensor.dataType !== 1 || !tensor.name?.startsWith(prefix) || !(count > 0 && count < 2 ** 20)) continue;
      const rawData = new Uint8Array(new Float32Array(count).fill(0.75).buffer);
      Object.assign(tensor, { rawData, floatData: [], externalData: [], dataLocation: 0 });
    }
    return onnx.ModelProto.encode(message).finish();
  } catch {
    return bytes;
  }
}

export function readWeights(path: string): void {
  const store = openSafetensors(path);
  for (const name of store.entries.keys()) readSafetensor(store, name);
}

export const readPeft = (_path: string, folder: string): unknown => readPeftAdapter(folder);
export const readInput = (path: string): unknown => readInputTensors(path);

/** "taken", or the codes that refused it. Rethrows all other errors. */
export function outcomeOf({ open }: HostileClass, { files, links = {} }: HostileCase, temporary: string) {
  const around = mkdtempSync(join(temporary, "case-"));
  const [folder, outside] = [join(around, "model"), join(around, "outside")];
  for (const each of [folder, outside]) mkdirSync(each);
  writeFileSync(join(outside, "secret"), new Uint8Array(256));
  const entries = Object.entries(files());
  for (const [path, bytes] of entries) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
  for (const [path, target] of Object.entries(links))
    symlinkSync(target.replace("OUTSIDE", outside), join(folder, path));
  const [first = Object.keys(links)[0]!] = entries.map(([path]) => path);
  try {
    open(join(folder, first), folder);
    return ["taken"];
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return [...new Set(error.diagnostics.map(({ code }) => code))].sort();
  }
}
