import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import { removeDead } from "../../ir/edit.ts";
import { applyFunctions } from "../../ir/elementwise-functions.ts";
import { interpret } from "../../ir/interpret.ts";
import { type Module, typeOf, type ValueId } from "../../ir/module.ts";
import { clampBelow, type Tensor, tensor, type WeightStore } from "../../ir/tensor.ts";
import { sameShape } from "../../ir/type.ts";
import type { ClientCut } from "../../passes/pass.ts";
import { padTokens, readSampleFiles, readTokenizer } from "../inputs/index.ts";

/** Input tensors of the model, by the value of the module that takes them. */
export type Sample = ReadonlyMap<ValueId, Tensor>;

/** More samples cost time, and hardly widen ranges. */
const maxSamples = 32;

/**
 * Reads public inputs to measure ranges on: the samples of a file or folder (inputs/sample-files.ts), or one per line of
 * a .jsonl file of prompts ({"prompt": …, "answer": …}), which the tokenizer beside the model encodes and pads.
 * @throws DiagnosticError MRL0660 to MRL0664
 */
export function readSamples(
  path: string,
  model: string,
  inputs: ReadonlyMap<string, ValueId>,
  module: Module,
): readonly Sample[] {
  if (!existsSync(path))
    return fail({ code: "MRL0660", message: "expected calibration inputs, found no file", at: path });
  const samples = path.endsWith(".jsonl") ? promptSamples(path, model, inputs, module) : fileSamples(path, inputs);
  if (samples.length === 0) {
    const help = "name a folder of .npz or .pb files, or a .jsonl file of prompts: --calibrate <path>";
    return fail({ code: "MRL0661", message: "expected calibration inputs, found none", at: path, help });
  }
  for (const sample of samples) checkSample(sample, path, inputs, module);
  return samples;
}

function fileSamples(path: string, inputs: ReadonlyMap<string, ValueId>): readonly Sample[] {
  return readSampleFiles(path, [...inputs.keys()])
    .slice(0, maxSamples)
    .map((tensors) => {
      const given = [...inputs].map(([name, id]) => [id, tensors.get(name)] as const);
      return new Map(given.filter((entry): entry is [ValueId, Tensor] => entry[1] !== undefined));
    });
}

function promptSamples(
  path: string,
  model: string,
  inputs: ReadonlyMap<string, ValueId>,
  module: Module,
): readonly Sample[] {
  const [input, ...others] = [...inputs.values()];
  const shape = input === undefined ? [] : typeOf(module, input).shape;
  if (input === undefined || others.length > 0 || shape.length !== 2 || shape[0] !== 1) {
    const message =
      "expected a model with one input [1, length] of token ids, to calibrate on prompts; found other inputs";
    return fail({
      code: "MRL0662",
      message,
      at: path,
      help: "name a folder of .npz files instead: --calibrate <folder>",
    });
  }
  const tokens = readTokenizer(dirname(model));
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");
  const texts = lines.map((line, index) => promptText(line, `${path}:${index + 1}`));
  const step = Math.max(1, Math.floor(texts.length / maxSamples));
  return texts
    .filter((_, index) => index % step === 0)
    .slice(0, maxSamples)
    .flatMap((text) => {
      const padded = padTokens(tokens, text, shape[1]!);
      return padded ? [new Map([[input, tensor(shape, padded)]])] : [];
    });
}

function promptText(line: string, at: string): string {
  const message = 'expected a line {"prompt": "…", "answer": "…"}, found something else';
  try {
    const { prompt, answer } = JSON.parse(line) as { prompt?: unknown; answer?: unknown };
    if (typeof prompt === "string") return prompt + (typeof answer === "string" ? answer : "");
  } catch {
    // A line that is not JSON gets the same message.
  }
  return fail({ code: "MRL0663", message, at, help: 'write each line as {"prompt": "abc", "answer": "d"}' });
}

function checkSample(sample: Sample, path: string, inputs: ReadonlyMap<string, ValueId>, module: Module): void {
  for (const [name, id] of inputs) {
    const wanted = typeOf(module, id).shape;
    const found = sample.get(id)?.shape;
    if (found && sameShape(found, wanted)) continue;
    const message = `expected input "${name}" of shape [${wanted.join(", ")}], found ${found ? `[${found.join(", ")}]` : "none"}`;
    const help = `give every sample ${[...inputs].map(([each, of]) => `"${each}" of shape [${typeOf(module, of).shape.join(", ")}]`).join(", ")}, or compile for other sizes with --dim`;
    fail({ code: "MRL0664", message, at: path, help });
  }
}

/**
 * Computes the inputs of the secure module for each sample: the cut values, as the client computes them. They depend on
 * public weights alone, so only the part of the model before them runs.
 */
export function cutSamples(
  imported: { readonly module: Module; readonly weights: WeightStore },
  secure: Module,
  cuts: readonly ClientCut[],
  valueOfCut: (cut: ClientCut) => ValueId,
  samples: readonly Sample[],
): readonly ReadonlyMap<ValueId, Tensor>[] {
  const front = removeDead({ ...imported.module, outputs: [...new Set(cuts.map(valueOfCut))] });
  return samples.map((sample) => {
    const results = interpret(front, imported.weights, sample);
    return new Map(
      cuts.map((cut): [ValueId, Tensor] => {
        const value = results.get(valueOfCut(cut))!;
        const { shape } = typeOf(secure, cut.value);
        return [
          cut.value,
          cut.oneHot === undefined
            ? clampBelow(applyFunctions(value, cut.functions), cut.least)
            : calibrationOneHot(value, cut.oneHot, shape),
        ];
      }),
    );
  });
}

/**
 * One-hot rows of `depth` columns; a negative index counts from the end.
 * @throws DiagnosticError MRL0665 for an index out of range
 */
export function calibrationOneHot(indices: Tensor, depth: number, shape: readonly number[]): Tensor {
  const stray = indices.data.find((index) => !Number.isInteger(index) || index < -depth || index >= depth);
  if (stray !== undefined) {
    const message = `expected indices from 0 to ${depth - 1} in the calibration inputs, found ${stray}`;
    fail({ code: "MRL0665", message, help: `give indices from 0 to ${depth - 1} in the files of --calibrate` });
  }
  const data = new Float64Array(indices.data.length * depth);
  indices.data.forEach((index, row) => {
    data[row * depth + (index < 0 ? index + depth : index)] = 1;
  });
  return tensor(shape, data);
}
