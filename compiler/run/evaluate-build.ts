import { fail } from "../../ir/diagnostic.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Manifest } from "../build/index.ts";
import type { TextTokenizer } from "../inputs/index.ts";
import { readWholeFile } from "../tensors/files/index.ts";
import {
  type Forward,
  generate,
  logitsOf,
  mostLikelyToken,
  type TextInput,
  textInputOf,
  tokenFeeds,
} from "./generate-text.ts";

export interface EvaluationPrompt {
  readonly prompt: string;
  readonly answer: string;
}

export interface Evaluation {
  readonly prompts: number;
  /** Number of next tokens compared along the reference's greedy answers, and how many agree. */
  readonly nextTokens: number;
  readonly agreeing: number;
  /** Prompts whose whole greedy answer equals the reference's. */
  readonly sameAnswers: number;
  /** Percentage of prompts whose answer is the one in the file. */
  readonly exactMatch: { readonly reference: number; readonly secure: number };
  /** Largest difference of a logit at the compared positions. */
  readonly largestError: number;
}

interface EvaluationOptions {
  readonly manifest: Manifest;
  readonly tokenizer: TextTokenizer;
  /** The tuned model in plaintext. */
  readonly reference: Forward;
  readonly secure: Forward;
  readonly onDone?: (done: number, of: number) => void;
}

/** A text of prompts and answers; more is another file by mistake. */
const mostPromptBytes = 256 * 2 ** 20;

/**
 * Reads lines {"prompt": …, "answer": …}, at most `limit`.
 * @throws DiagnosticError MRL0825 for a line of another form
 */
export function readEvaluationPrompts(file: string, limit: number): readonly EvaluationPrompt[] {
  const lines = new TextDecoder()
    .decode(readWholeFile(file, mostPromptBytes))
    .split("\n")
    .filter((line) => line.trim() !== "");
  return lines.slice(0, limit).map((line, index) => {
    try {
      const { prompt, answer } = JSON.parse(line) as { prompt?: unknown; answer?: unknown };
      if (typeof prompt === "string" && typeof answer === "string") return { prompt, answer };
    } catch {
      // A line that is not JSON gets the same message.
    }
    return fail({
      code: "MRL0825",
      message: 'expected a line {"prompt": "…", "answer": "…"}, found something else',
      at: `${file}:${index + 1}`,
      help: 'write each line as {"prompt": "abc", "answer": "d"}',
    });
  });
}

/**
 * Compares the secure path with the plaintext model on greedy answers. One secure pass over the prompt and the
 * reference answer gives the secure path's choice after every prefix of that answer. If all agree, its own greedy answer
 * is the same, by induction over the tokens. Otherwise the secure path generates its own answer.
 */
export async function evaluate(prompts: readonly EvaluationPrompt[], options: EvaluationOptions): Promise<Evaluation> {
  const { manifest, tokenizer, reference, secure, onDone } = options;
  const textInput = textInputOf(manifest);
  const sum = { nextTokens: 0, agreeing: 0, sameAnswers: 0, reference: 0, secure: 0, largestError: 0 };
  for (const [index, { prompt, answer }] of prompts.entries()) {
    const maxTokens = textInput.length;
    const expected = await generate(manifest, tokenizer, reference, { prompt, maxTokens });
    const comparison = await compareLogits(textInput, tokenizer, prompt, expected.tokens, options);
    const same = comparison.agreeing === comparison.compared;
    const found = same ? expected.text : (await generate(manifest, tokenizer, secure, { prompt, maxTokens })).text;
    sum.nextTokens += comparison.compared;
    sum.agreeing += comparison.agreeing;
    sum.sameAnswers += Number(found === expected.text);
    sum.reference += Number(expected.text === answer);
    sum.secure += Number(found === answer);
    sum.largestError = Math.max(sum.largestError, comparison.largestError);
    onDone?.(index + 1, prompts.length);
  }
  const percent = (count: number): number => Math.round((count / prompts.length) * 1e4) / 100;
  const { nextTokens, agreeing, sameAnswers, largestError } = sum;
  const exactMatch = { reference: percent(sum.reference), secure: percent(sum.secure) };
  return { prompts: prompts.length, nextTokens, agreeing, sameAnswers, exactMatch, largestError };
}

async function compareLogits(
  textInput: TextInput,
  tokens: TextTokenizer,
  prompt: string,
  answer: readonly number[],
  { reference, secure }: EvaluationOptions,
): Promise<{ readonly compared: number; readonly agreeing: number; readonly largestError: number }> {
  const start = tokens.encode(prompt);
  const ids = [...start, ...answer];
  const feeds = tokenFeeds(textInput, ids, tokens.padToken);
  const wanted = logitsOf(await reference(feeds), textInput.length);
  const found = logitsOf(await secure(feeds), textInput.length);
  // Positions whose next token the reference chose, including the end of the answer if it fits.
  const positions = [...Array(Math.min(answer.length + 1, textInput.length - start.length)).keys()].map(
    (k) => start.length - 1 + k,
  );
  const agreeing = positions.filter(
    (position) => mostLikelyToken(wanted, position) === mostLikelyToken(found, position),
  ).length;
  const errors = positions.map((position) => logitError(wanted, found, position));
  return { compared: positions.length, agreeing, largestError: Math.max(...errors) };
}

function logitError(a: Tensor, b: Tensor, position: number): number {
  const width = a.shape.at(-1)!;
  let worst = 0;
  for (let k = position * width; k < (position + 1) * width; k++)
    worst = Math.max(worst, Math.abs(a.data[k]! - b.data[k]!));
  return worst;
}
