import { fail } from "../../ir/diagnostic.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { QueryPosition } from "../../runtime/session/index.ts";
import type { Manifest } from "../build/index.ts";
import type { TextTokenizer } from "../inputs/index.ts";
import type { TypedTensor } from "../tensors/index.ts";

/** One forward pass of the model: over the full context, or for the position of the query. */
export type Forward = (
  inputs: ReadonlyMap<string, TypedTensor>,
  position?: QueryPosition,
) => Promise<ReadonlyMap<string, TypedTensor>>;

export interface GenerateOptions {
  readonly prompt: string;
  readonly maxTokens: number;
  /** The first pass caches the keys and values of each position, and each later pass computes one position. */
  readonly useCache?: boolean;
  /** Receives each piece of text as soon as it is generated. */
  readonly onText?: (piece: string) => void;
}

export interface GeneratedText {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly stopped: "end of text" | "token limit" | "window full";
}

/** The input that takes the token ids. */
export interface TextInput {
  readonly input: string;
  readonly length: number;
  /** Inputs that are 1 where there is text: attention masks. */
  readonly masks: readonly string[];
}

/**
 * Finds the input for text in a manifest.
 * @throws DiagnosticError MRL0820 for a model without exactly one input [1, length] beside masks
 */
export function textInputOf({ inputs, name }: Manifest): TextInput {
  const isMask = (input: string): boolean => /mask/i.test(input);
  const texts = inputs.filter((input) => !isMask(input.name) && input.shape.length === 2 && input.shape[0] === 1);
  const [input] = texts;
  if (input && texts.length === 1) {
    return { input: input.name, length: input.shape[1]!, masks: inputs.map((each) => each.name).filter(isMask) };
  }
  return fail({
    code: "MRL0820",
    message: "expected a model with one input [1, length] of token ids, to generate text with; found other inputs",
    at: name,
    because: inputs.map((each) => `the model has input ${each.name} [${each.shape.join(", ")}]`),
    help: `run it on tensors instead: marillc run <build-dir> ${inputs.map((each) => `--input ${each.name}=<file>`).join(" ")}`,
  });
}

/**
 * Generates text greedily, with the most likely token each time. The input is padded on the right, which a causal model
 * does not see. Every token takes one forward pass: over the full context, or, with `useCache`, over its own position
 * alone after a first pass over the prompt.
 * @throws DiagnosticError MRL0821 for a prompt that does not fit, MRL0820 for a model that does not generate text
 */
export async function generate(
  manifest: Manifest,
  tokenizer: TextTokenizer,
  forward: Forward,
  options: GenerateOptions,
): Promise<GeneratedText> {
  const textInput = textInputOf(manifest);
  const { length } = textInput;
  const ids = [...tokenizer.encode(options.prompt)];
  const start = ids.length;
  // Many tokenizers put a token before every text: even an empty one has a token then, and is no question.
  if (options.prompt === "") {
    const help = 'give a text to continue: --prompt "…"';
    fail({ code: "MRL0821", message: "expected a text to continue, found an empty prompt", help });
  }
  if (start === 0 || start >= length) {
    const help = `shorten the prompt, or run \`marillc compile\` with a larger --dim: the model was compiled for ${length} tokens`;
    fail({ code: "MRL0821", message: `expected a prompt of 1 to ${length - 1} tokens, found ${start}`, help });
  }
  const first = firstPass(manifest, start, length);
  let text = "";
  for (;;) {
    const generated = ids.length - start;
    if (generated >= options.maxTokens) return { text, tokens: ids.slice(start), stopped: "token limit" };
    if (ids.length >= length) return { text, tokens: ids.slice(start), stopped: "window full" };
    const last = ids.length - 1;
    const position = options.useCache ? (generated === 0 ? first.position : { program: 1, position: last }) : undefined;
    const outputs = await forward(tokenFeeds(textInput, ids, tokenizer.padToken), position);
    const next =
      position?.program === 1 ? nextToken(outputs, 1, 0) : nextToken(outputs, position ? first.length : length, last);
    if (tokenizer.stopTokens.includes(next)) return { text, tokens: ids.slice(start), stopped: "end of text" };
    ids.push(next);
    const fullText = tokenizer.decode(ids.slice(start));
    // A token may change the text before it: only text that extends the previous one is shown.
    if (fullText.startsWith(text)) options.onText?.(fullText.slice(text.length));
    text = fullText;
  }
}

/** The shortest program that a text of `start` tokens fits into: its query position and its sequence length. */
function firstPass({ decode }: Manifest, start: number, length: number) {
  const bucketPasses = (decode?.windows ?? []).map(({ places }, k) => ({
    length: places,
    position: { program: 2 + k, position: start },
  }));
  const passes = [...bucketPasses, { length, position: { program: 0, position: start } }];
  return passes.filter((pass) => pass.length >= start).reduce((a, b) => (b.length < a.length ? b : a));
}

/** Token ids, padded on the right, and masks that are 1 where there is text. */
export function tokenFeeds(
  { input, length, masks }: TextInput,
  ids: readonly number[],
  pad: number,
): ReadonlyMap<string, TypedTensor> {
  const row = (at: (position: number) => number): TypedTensor => ({
    dtype: "int64",
    tensor: { shape: [1, length], data: Float64Array.from({ length }, (_, position) => at(position)) },
  });
  const mask = row((position) => Number(position < ids.length));
  return new Map([[input, row((position) => ids[position] ?? pad)], ...masks.map((name) => [name, mask] as const)]);
}

/** The most likely token after a position: from the logits, or as the model outputs it ([1, length], `--head token`). */
function nextToken(outputs: ReadonlyMap<string, TypedTensor>, length: number, position: number): number {
  const tokens = [...outputs.values()].find(({ tensor: { shape } }) => shape.length === 2 && shape[1] === length);
  return tokens ? tokens.tensor.data[position]! : mostLikelyToken(logitsOf(outputs, length), position);
}

/**
 * The output with the logits of the next token at each position: [1, length, vocabulary].
 * @throws DiagnosticError MRL0820 where no output has this shape
 */
export function logitsOf(outputs: ReadonlyMap<string, TypedTensor>, length: number): Tensor {
  const logits = [...outputs.values()].find(({ tensor: { shape } }) => shape.length === 3 && shape[1] === length);
  if (!logits) {
    const found = [...outputs].map(([name, { tensor }]) => `${name} [${tensor.shape.join(", ")}]`);
    return fail({ code: "MRL0820", message: `expected logits [1, ${length}, vocabulary], found ${found.join(", ")}` });
  }
  return logits.tensor;
}

export function mostLikelyToken({ shape, data }: Tensor, position: number): number {
  const row = data.subarray(position * shape[2]!, (position + 1) * shape[2]!);
  return row.reduce((best, value, token) => (value > row[best]! ? token : best), 0);
}
