// Sound builds of small models: what edits begin with.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveModelOptions } from "../../../compiler/api/index.ts";
import { compileModel } from "../../../compiler/compile/index.ts";
import { writeNpz } from "../../../compiler/tensors/index.ts";
import { publicCounterpart } from "../mutate.ts";
import { seedModels } from "../seed-models.ts";

/** Files of a build by path, as `check` takes them. */
export type BuildFiles = ReadonlyMap<string, Uint8Array>;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A net of which all weights are private, and one of which the second is public. */
function compileSeeds(): readonly BuildFiles[] {
  const folder = mkdtempSync(join(tmpdir(), "marillc-builds-"));
  const [model, base] = [join(folder, "model.onnx"), join(folder, "base.onnx")];
  writeFileSync(model, seedModels.mlp!);
  writeFileSync(base, publicCounterpart(seedModels.mlp!));
  const calibrate = join(folder, "samples.npz");
  const ones = { dtype: "float32" as const, tensor: { shape: [2, 4], data: new Float64Array(8).fill(1) } };
  writeFileSync(calibrate, writeNpz(new Map([["x", ones]])));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const common = { model, calibrate, reveal: { y: "client" as const } };
  return [
    { ...common, base, private: ["*"] },
    { ...common, base: model, private: ["a.*"] },
  ].map((options) => compileModel(resolveModelOptions(options)).files);
}

let compiled: readonly BuildFiles[] | undefined;
/** Compiled once, when they are first asked for. */
export function seedBuilds(): readonly BuildFiles[] {
  compiled ??= compileSeeds().map((files) => new Map([...files, ...tokenizer]));
  return compiled;
}

/** So that its rules are met too. */
const tokenizer: readonly (readonly [string, Uint8Array])[] = [
  [
    "client/tokenizer_config.json",
    bytes(`${JSON.stringify({ tokenizer_class: "PreTrainedTokenizerFast", pad_token: "<pad>" }, undefined, 2)}\n`),
  ],
];
