import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeBuild } from "../../compiler/build/write-build.ts";
import { padTokens, readTokenizer } from "../../compiler/inputs/tokenizer.ts";
import { declaredError } from "../../scripts/tables/declared-error.ts";
import { dateBuild, dateOptions } from "../harness/shared-builds.ts";
import { build, queryOnce } from "./compiled.ts";
import { largestDifference } from "./declared-error.ts";

/*
 * The date model as three exports: of fixed length, of any length, and by the other exporter. With the same adapter
 * they are one model, so after the same prompt they choose the same next tokens.
 */
const fixture = resolve(import.meta.dirname, "../../fixtures/date-llama");
const dir = mkdtempSync(join(tmpdir(), "marillc-exports-"));
afterAll(() => rmSync(dir, { recursive: true }));
const prompt = "date 4/4/21 (m/d/y)=";
const answer = "2021-04-04";
const tokens = readTokenizer(fixture);
const length = 48;

interface Answer {
  readonly logits: Float64Array;
  readonly text: string;
  readonly bound: number;
}

/** The greedy next token at each place of the answer, all from one query: prompt and answer are given. */
async function answerOf(file: string, window: number, dims?: Readonly<Record<string, number>>): Promise<Answer> {
  const out = join(dir, file);
  if (file === "base-ts17.onnx") writeBuild(out, dateBuild().files);
  else build(out, { ...dateOptions, model: join(fixture, file), ...(dims && { dims }) });
  const input = join(dir, `${file}.json`);
  const data = [...padTokens(tokens, prompt + answer, length)!].slice(0, window);
  writeFileSync(input, JSON.stringify({ input_ids: { dtype: "int64", shape: [1, window], data } }));
  const { outputs } = await queryOnce(out, [input]);
  const { shape, data: logits } = outputs.get("logits")!;
  const first = tokens.encode(prompt).length - 1;
  const next = Array.from({ length: Math.min(answer.length, window - first) }, (_, place) => {
    const row = logits.subarray((first + place) * shape[2]!, (first + place + 1) * shape[2]!);
    return row.indexOf(Math.max(...row));
  });
  return { logits, text: tokens.decode(next), bound: await declaredError(out, input) };
}

let reference: Answer;
beforeAll(async () => {
  reference = await answerOf("base-ts17.onnx", length);
});

it("base-ts17.onnx answers", () => expect(reference.text).toBe(answer));

it.each([
  ["base-dy18.onnx", length, undefined],
  ["base-ts17-seq.onnx", 24, { seq: 24 }],
] as const)("%s at length %i chooses the same next tokens", async (file, window, dims) => {
  const { text, logits, bound } = await answerOf(file, window, dims);
  expect(text).toBe(answer.slice(0, text.length));
  expect(text.length).toBeGreaterThan(0);
  expect(largestDifference(logits, reference.logits)).toBeLessThan(bound + reference.bound);
});
