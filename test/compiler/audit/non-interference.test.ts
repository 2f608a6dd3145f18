import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import onnxProto from "onnx-proto";
import { afterAll, expect, test } from "vitest";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { unpackWeights } from "../../../compiler/build/pack-weights.ts";
import { type Compilation, compileModel } from "../../../compiler/compile/compile.ts";
import { costReport } from "../../../compiler/report/cost/cost-report.ts";
import { type IntTensor, intTensor } from "../../../runtime/ring/tensor.ts";
import { linkProfiles } from "../../../runtime/transport/link-profile.ts";
import { type RecordedChannel, recorded } from "../../../runtime/transport/recorded-channel.ts";
import { programFromPlan } from "../../../targets/program/interpret-plan.ts";
import { tiny, writeTiny } from "../../end-to-end/tiny-model.ts";
import { runSession } from "../../harness/run-session.ts";
import { createNoise } from "../../passes/models.ts";

const { onnx } = onnxProto;

/*
 * Nothing that others see depends on private weights or the prompt: 1,000 pairs, each against one reference. 100 sets
 * of weights go through the whole compiler; 900 prompts, each with one of these sets, go through the three parties.
 */
const [compiled, asked] = [100, 900];

const work = mkdtempSync(join(tmpdir(), "marillc-pairs-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));
const files = writeTiny(work);
const secret = "server/weights.safetensors";

const compile = (model: string): Compilation =>
  compileModel(
    resolveModelOptions({
      model,
      name: "tiny",
      base: files.base,
      calibrate: files.calibration,
      reveal: { logits: "client" },
    }),
  );

/** The model with other private weights; seeds far from those of the base, whose numbers would be public. */
function tuned(seed: number): string {
  const noise = createNoise(1000 + seed);
  const model = onnx.ModelProto.decode(readFileSync(files.model));
  for (const tensor of model.graph!.initializer!) {
    if (tensor.name === "embed.weight") continue;
    const { data } = noise(tensor.dims!.map(Number), 0.5);
    tensor.floatData = [...data];
  }
  const path = join(work, "tuned.onnx");
  writeFileSync(path, onnx.ModelProto.encode(model).finish());
  return path;
}

const publicFiles = ({ files: all }: Compilation): readonly (readonly [string, string])[] =>
  [...all].filter(([path]) => path !== secret).map(([path, bytes]) => [path, Buffer.from(bytes).toString("latin1")]);
const costOf = ({ module, manifest }: Compilation): string =>
  JSON.stringify(costReport(module, manifest.setting, manifest.programHash, Object.values(linkProfiles)));

const reference = compile(files.model);
const weights = [reference.files.get(secret)!];

test(`${compiled} other sets of private weights: every file but the server's weights is the same, and so is the cost`, () => {
  const expected = { files: publicFiles(reference), cost: costOf(reference) };
  for (let seed = 1; seed <= compiled; seed++) {
    const other = compile(tuned(seed));
    if (JSON.stringify(publicFiles(other)) !== JSON.stringify(expected.files)) {
      const changed = publicFiles(other).filter(([path, text], k) => text !== expected.files[k]?.[1] || path === "");
      expect(changed.map(([path]) => path)).toEqual([]);
    }
    expect(costOf(other)).toBe(expected.cost);
    weights.push(other.files.get(secret)!);
  }
  // All weights differ, and the size of the file does not show it.
  expect(new Set(weights.map((bytes) => Buffer.from(bytes).toString("latin1"))).size).toBe(compiled + 1);
  expect(new Set(weights.map(({ length }) => length)).size).toBe(1);
});

/** Direction, kind and length of every message of every channel, in the order in which its owner saw them. */
async function framesOf(seed: number): Promise<string> {
  const program = programFromPlan(reference.plan, reference.manifest.programHash);
  const [[name, { shape, scale }]] = Object.entries(program.inputs) as [[string, (typeof program.inputs)[string]]];
  const prompt = createNoise(seed)([tiny.length], tiny.vocabulary / 2).data.map((x) =>
    Math.floor(x + tiny.vocabulary / 2),
  );
  const row = (token: number): Float64Array => createNoise(token + 1)([tiny.width]).data;
  const embedded = Float64Array.from([...prompt].flatMap((token) => [...row(token)]));
  const inputs: Readonly<Record<string, IntTensor>> = {
    [name]: intTensor(
      shape,
      embedded.map((x) => Math.round(x * 2 ** scale)),
    ),
  };
  const channels: RecordedChannel[] = [];
  await runSession(program, unpackWeights(weights[seed % weights.length]!), [inputs], (channel) => {
    channels.push(recorded(channel));
    return channels.at(-1)!;
  });
  return JSON.stringify(
    channels.map(({ frames }) => frames.map(({ direction, kind, bytes }) => `${direction} ${kind} ${bytes.length}`)),
  );
}

test(`${asked} other prompts with other weights: the messages have the same number, order and lengths`, async () => {
  const expected = await framesOf(0);
  expect(expected.match(/payload/g)!.length).toBeGreaterThan(20);
  for (let seed = 1; seed <= asked; seed++) {
    const found = await framesOf(seed);
    if (found !== expected) expect(JSON.parse(found)).toEqual(JSON.parse(expected));
  }
});
