import { readFileSync } from "node:fs";
import { join } from "node:path";
import isEqual from "lodash-es/isEqual.js";
import pick from "lodash-es/pick.js";
import { resolveModelOptions } from "../../compiler/api/index.ts";
import { writeBuild } from "../../compiler/build/index.ts";
import { compileModel } from "../../compiler/compile/index.ts";
import { readTokenizer, type TextTokenizer } from "../../compiler/inputs/index.ts";
import { networkTime } from "../../compiler/report/cost/index.ts";
import { openLocal } from "../../compiler/run/index.ts";
import type { TypedTensor } from "../../compiler/tensors/index.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { linkProfiles } from "../../runtime/transport/index.ts";

/** Positions of the fixture's models. */
const sequenceLength = 32;

export type QualityTask = "date" | "review";

/** A tuned model of fixtures/quality, from its card.json. */
export interface QualityRow {
  readonly task: QualityTask;
  readonly row: string;
  /** Heads that share a softmax. */
  readonly merge: number;
  /** Percent of the held-out questions that plaintext answers correctly. */
  readonly accuracy: number;
  /** Indices of the questions that plaintext answers wrongly. */
  readonly wrong: readonly number[];
  /** Absent: the weights are not in the repository. */
  readonly files?: { readonly model: string; readonly base?: string; readonly adapter?: string };
}

export interface QualityCard {
  readonly rows: readonly QualityRow[];
  readonly heldOut: number;
}

/** What the secure path does with a row. */
export interface SecureResult {
  /** How many of the first questions were asked. */
  readonly questions: number;
  /** Indices of those that it answers wrongly. */
  readonly wrong: readonly number[];
  readonly rounds: number;
  readonly bytes: Readonly<Record<"setup" | "offline" | "online", number>>;
  /** Seconds of a query's online phase on the wan links alone. */
  readonly wan: number;
  /** Of a query, over the questions of the last run. */
  readonly seconds: Readonly<Record<"offline" | "online", number>>;
}

/** By `rowKey`. */
export type SecureResults = Record<string, SecureResult>;

interface Question {
  readonly prompt: string;
  readonly answer: string;
}

export const rowKey = ({ task, row }: QualityRow): string => `${task}-${row}`;

export const readCard = (fixture: string): QualityCard =>
  JSON.parse(readFileSync(join(fixture, "card.json"), "utf8")) as QualityCard;

function readQuestions(fixture: string, task: QualityTask, limit: number): readonly Question[] {
  const lines = readFileSync(join(fixture, `${task}-heldout.jsonl`), "utf8")
    .trim()
    .split("\n");
  return lines.slice(0, limit).map((line) => JSON.parse(line) as Question);
}

const argmax = (values: Float64Array): number =>
  values.reduce((best, value, k) => (value > values[best]! ? k : best), 0);

interface PosedQuestion {
  readonly inputs: ReadonlyMap<string, TypedTensor>;
  readonly isCorrect: (logits: Tensor) => boolean;
}

/**
 * One forward pass decides whether an answer is correct. Classification: the most likely class is the right one.
 * Generation: the input holds prompt and right answer, and the right next token is the most likely one after every
 * prefix. By induction over its tokens, exactly then greedy decoding gives this answer.
 */
function poseQuestion(tokenizer: TextTokenizer, task: QualityTask, { prompt, answer }: Question): PosedQuestion {
  const start = tokenizer.encode(prompt).length;
  const ids = tokenizer.encode(task === "date" ? prompt + answer : prompt);
  const data = Float64Array.from({ length: sequenceLength }, (_, position) => ids[position] ?? tokenizer.padToken);
  const isCorrect = ({ shape, data: logits }: Tensor): boolean => {
    if (task === "review") return argmax(logits) === Number(answer);
    const next = [...ids.slice(start), tokenizer.stopTokens[0]];
    const vocabulary = shape.at(-1)!;
    return next.every((token, k) => {
      const position = start - 1 + k;
      return argmax(logits.subarray(position * vocabulary, (position + 1) * vocabulary)) === token;
    });
  };
  return {
    inputs: new Map([["input_ids", { dtype: "int64", tensor: { shape: [1, sequenceLength], data } }]]),
    isCorrect,
  };
}

export interface MeasureOptions {
  readonly fixture: string;
  /** Where the build goes. */
  readonly build: string;
  /** How many of the first questions are asked. */
  readonly limit: number;
  /** From an earlier run: at the same cost, only the questions after these are asked. */
  readonly known: SecureResult | undefined;
  readonly progress: (line: string) => void;
}

/**
 * Answers the first questions through the secure path. @throws when the row's weights are not in the repository, or when
 * a byte or round differs from the prediction
 */
export async function measureRow(
  { task, files, ...row }: QualityRow,
  { fixture, build, limit, known, progress }: MeasureOptions,
): Promise<SecureResult> {
  if (!files) throw new Error(`${task}-${row.row}: expected weights in ${fixture}, found none`);
  const file = (name: string): string => join(fixture, name);
  const { manifest, files: parts } = compileModel(
    resolveModelOptions({
      model: file(files.model),
      ...(files.base !== undefined && { base: file(files.base) }),
      ...(files.adapter !== undefined && { adapter: file(files.adapter) }),
      reveal: { logits: "client" },
      calibrate: file(`${task}-calibration.jsonl`),
    }),
  );
  const { predicted } = manifest;
  const total = (phase: keyof typeof predicted): number =>
    Object.values(predicted[phase].bytes).reduce((sum, bytes) => sum + bytes, 0);
  const cost = {
    rounds: predicted.online.rounds,
    bytes: { setup: total("setup"), offline: total("offline"), online: total("online") },
    wan: networkTime(predicted, linkProfiles.wan).communicationSeconds.online,
  };
  const earlier = known && isEqual(cost, pick(known, Object.keys(cost))) ? known : undefined;
  const asked = earlier?.questions ?? 0;
  const questions = readQuestions(fixture, task, limit).slice(asked);
  if (earlier && questions.length === 0) return earlier;
  writeBuild(build, parts);
  const tokenizer = readTokenizer(fixture);
  const session = await openLocal({ dir: build });
  const wrong = [...(earlier?.wrong ?? [])];
  for (const [k, question] of questions.entries()) {
    const { inputs, isCorrect } = poseQuestion(tokenizer, task, question);
    const { outputs } = await session.query(inputs);
    if (!isCorrect(outputs.get("logits")!.tensor)) wrong.push(asked + k);
    progress(`${files.adapter ?? files.model}: ${k + 1} of ${questions.length}`);
  }
  const { seconds, queries } = await session.end();
  const each = { offline: seconds.offline / queries, online: seconds.online / queries };
  return { questions: asked + queries, wrong, ...cost, seconds: each };
}
