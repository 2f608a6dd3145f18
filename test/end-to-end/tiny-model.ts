import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";

export const tiny = { length: 4, vocabulary: 8, width: 8, hidden: 16 } as const;

/** Fixed pseudo-random weights: the same model in every run. */
export function numbers(count: number, seed: number, size: number): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround((state / 2 ** 31 - 1) * size);
  });
}

/**
 * tokens[1, 4] → public table → x·W1 → relu → ·W2 → logits[1, 4, 8]. The middle is the server's in the tuned model;
 * the base has other numbers there.
 */
function model(tuned: boolean): Uint8Array {
  const { length, vocabulary, width, hidden } = tiny;
  const seed = tuned ? 7 : 8;
  const int = { elemType: 7, shape: { dim: [{ dimValue: 1 }, { dimValue: length }] } };
  return modelBytes({
    name: "tiny",
    initializer: [
      floatTensor("embed.weight", [vocabulary, width], numbers(vocabulary * width, 1, 1)),
      floatTensor("first.weight", [width, hidden], numbers(width * hidden, seed, 0.5)),
      floatTensor("second.weight", [hidden, vocabulary], numbers(hidden * vocabulary, seed + 2, 0.5)),
    ],
    input: [{ name: "tokens", type: { tensorType: int } }],
    output: [floatInfo("logits", 1, length, vocabulary)],
    node: [
      node("Gather", ["embed.weight", "tokens"], ["embedded"], "/embed/Gather"),
      node("MatMul", ["embedded", "first.weight"], ["inner"], "/layers.0/first/MatMul"),
      node("Relu", ["inner"], ["active"], "/layers.0/Relu"),
      node("MatMul", ["active", "second.weight"], ["logits"], "/layers.1/second/MatMul"),
    ],
  });
}

/** A model with two nodes that cannot be compiled, in two layers. */
export const blockedModel = (): Uint8Array =>
  modelBytes({
    name: "blocked",
    input: [floatInfo("x", 1, 4)],
    output: [floatInfo("y", 1, 4)],
    node: [
      node("Bernoulli", ["x"], ["inner"], "/layers.0/Bernoulli"),
      node("Relu", ["inner"], ["active"], "/layers.0/Relu"),
      node("Multinomial", ["active"], ["y"], "/layers.1/Multinomial"),
    ],
  });

/** Words of one letter, so that text can be generated. */
const tokenizer = {
  version: "1.0",
  added_tokens: [
    { id: 0, content: "<pad>", special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
  ],
  normalizer: null,
  pre_tokenizer: { type: "Split", pattern: { Regex: "[\\s\\S]" }, behavior: "Isolated", invert: false },
  post_processor: null,
  decoder: { type: "Fuse" },
  model: {
    type: "WordLevel",
    vocab: { "<pad>": 0, a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7 },
    unk_token: "<pad>",
  },
};

export interface TinyFiles {
  readonly model: string;
  readonly base: string;
  /** `{"tokens": …}` */
  readonly input: string;
  readonly calibration: string;
}

/** Writes the model, its base, an input and calibration inputs into a folder. */
export function writeTiny(dir: string): TinyFiles {
  const files = {
    model: join(dir, "tiny.onnx"),
    base: join(dir, "base.onnx"),
    input: join(dir, "tokens.json"),
    calibration: join(dir, "calibration.jsonl"),
  };
  mkdirSync(dir, { recursive: true });
  writeFileSync(files.model, model(true));
  writeFileSync(files.base, model(false));
  writeFileSync(join(dir, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(
    join(dir, "tokenizer_config.json"),
    JSON.stringify({ tokenizer_class: "PreTrainedTokenizerFast", pad_token: "<pad>" }),
  );
  writeFileSync(
    files.input,
    JSON.stringify({ tokens: { dtype: "int64", shape: [1, tiny.length], data: [3, 1, 4, 1] } }),
  );
  writeFileSync(
    files.calibration,
    ["abcd", "gfed", "aceg"].map((prompt) => JSON.stringify({ prompt, answer: "" })).join("\n"),
  );
  return files;
}
