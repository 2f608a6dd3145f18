import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeElements } from "../../compiler/tensors/element-codecs.ts";
import { openSafetensors, readSafetensor, writeSafetensors } from "../../compiler/tensors/safetensors.ts";
import { floatInfo, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { dateCalibration } from "../harness/shared-builds.ts";
import { marillc } from "./run-cli.ts";

const fixture = join(import.meta.dirname, "../../fixtures/date-llama");
const model = join(fixture, "base-ts17.onnx");
const adapter = join(fixture, "adapter");
const calibrate = ["--calibrate", dateCalibration];
const reveal = ["--reveal", "logits:client"];
const work = mkdtempSync(join(tmpdir(), "marillc-refusals-"));
const inWork = (name: string): string => join(work, name);
const put = (name: string, bytes: Uint8Array | string): string => {
  writeFileSync(inWork(name), bytes);
  return inWork(name);
};
const compile = (...args: readonly string[]): readonly string[] => ["compile", ...args, "-o", inWork("out")];
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** A copy of the adapter whose tensors went through `change`; undefined drops one. */
function changedAdapter(
  name: string,
  change: (key: string, shape: readonly number[]) => readonly number[] | undefined,
): string {
  const folder = inWork(name);
  cpSync(adapter, folder, { recursive: true });
  const store = openSafetensors(join(adapter, "adapter_model.safetensors"));
  const tensors = [...store.entries.keys()].flatMap((key) => {
    const { shape, data } = readSafetensor(store, key);
    const kept = change(key, shape);
    if (!kept) return [];
    const size = kept.reduce((product, extent) => product * extent, 1);
    const values = Float64Array.from({ length: size }, (_, at) => data[at % data.length]!);
    return [{ name: key, dtype: "float32" as const, shape: kept, bytes: encodeElements("float32", values) }];
  });
  writeFileSync(join(folder, "adapter_model.safetensors"), writeSafetensors(tensors));
  return folder;
}

interface Refusal {
  readonly what: string;
  readonly args: () => readonly string[];
  /** Codes that must be among those printed. */
  readonly codes: readonly string[];
  /** What the place must name. */
  readonly at: RegExp;
}

const refusals: readonly Refusal[] = [
  {
    what: "an empty file",
    args: () => compile(put("empty.onnx", ""), "--adapter", adapter, ...reveal),
    codes: ["MRL0102"],
    at: /empty\.onnx/,
  },
  {
    what: "a truncated file",
    args: () => compile(put("short.onnx", readFileSync(model).subarray(0, 5000)), "--adapter", adapter, ...reveal),
    codes: ["MRL0105"],
    at: /short\.onnx/,
  },
  {
    what: "unknown operators, all at once",
    args: () => {
      const nodes = [node("Multinomial", ["x"], ["y"], "first"), node("Unique", ["y"], ["z"], "second")];
      const bytes = modelBytes({ node: nodes, input: [floatInfo("x", 2)], output: [floatInfo("z", 2)] });
      return ["check", put("unknown.onnx", bytes)];
    },
    codes: ["MRL0401", "MRL0401"],
    at: /first[\s\S]*second/,
  },
  {
    what: "a missing adapter",
    args: () => compile(model, "--adapter", inWork("nowhere"), ...reveal),
    codes: ["MRL0101"],
    at: /nowhere/,
  },
  {
    what: "half an adapter",
    args: () => {
      const halved = changedAdapter("half", (key, shape) =>
        /layers\.4.*q_proj\.lora_B/.test(key) ? undefined : shape,
      );
      return compile(model, "--adapter", halved, ...reveal);
    },
    codes: ["MRL0142"],
    at: /layers\.4\.self_attn\.q_proj/,
  },
  {
    what: "an adapter of another base",
    args: () => {
      const wider = changedAdapter("wider", (key, [a, b]) => (key.includes("lora_A") ? [a!, b! * 2] : [a!, b!]));
      return compile(model, "--adapter", wider, ...reveal);
    },
    codes: ["MRL0423"],
    at: /self_attn\.q_proj/,
  },
  {
    what: "nothing that is private",
    args: () => compile(model, ...reveal),
    codes: ["MRL0421"],
    at: /base-ts17\.onnx/,
  },
  {
    what: "an opening that was not declared",
    args: () => compile(model, "--adapter", adapter, ...calibrate),
    codes: ["MRL0301"],
    at: /lm_head/,
  },
  {
    what: "a sandwich: an inner value opened",
    args: () => compile(model, "--adapter", adapter, ...reveal, "--reveal", "/model/layers.4/Add_1_output_0:client"),
    codes: ["MRL0303"],
    at: /an intermediate value/,
  },
  {
    what: "a head at the client that does not follow from the logits",
    args: () => compile(model, "--adapter", adapter, ...reveal, "--head", "logits", ...calibrate),
    codes: ["MRL0304"],
    at: /lm_head/,
  },
  {
    what: "a calibration that is not there",
    args: () => compile(model, "--adapter", adapter, ...reveal, "--calibrate", inWork("none.jsonl")),
    codes: ["MRL0660"],
    at: /none\.jsonl/,
  },
];

describe("refused with a code, a place and a help line, and no stack trace", () => {
  test.each(refusals.map((each) => [each.what, each] as const))("%s", async (_, { args, codes, at }) => {
    const { code, err, out } = await marillc(...args());
    expect(code).toBe(1);
    // A check that fails is an answer: it stands on stdout.
    const said = err + out;
    const found = [...said.matchAll(/error (MRL\d{4})/g)].map(([, found]) => found);
    expect(found).toEqual(expect.arrayContaining([...codes]));
    expect(found.length).toBeGreaterThanOrEqual(codes.length);
    expect(said).toMatch(at);
    expect(said).toMatch(/^ {2}help {4}/m);
    expect(said).not.toMatch(/^\s+at .*\.[tj]s:\d+/m);
  });
});

describe("inputs of a run", () => {
  const build = inWork("build");
  beforeAll(async () => {
    mkdirSync(work, { recursive: true });
    const { code, err } = await marillc("compile", model, "--adapter", adapter, ...reveal, ...calibrate, "-o", build);
    expect(err).toBe("");
    expect(code).toBe(0);
  });

  test.each([
    ["of the wrong shape", "input_ids", [[1, 2, 3]], /\[1, 48\]/],
    ["of the wrong type", "input_ids", [Array(48).fill(1.5)], /input_ids/],
    ["of another name", "tokens", [Array(48).fill(1)], /input_ids/],
  ])("%s are refused", async (_, name, value, says) => {
    const file = put("input.json", JSON.stringify({ [name]: value }));
    const { code, err } = await marillc("run", build, "--input", `${name}=${file}`, "--in-process");
    expect(code).toBe(1);
    expect(err).toMatch(/error MRL08\d\d/);
    expect(err).toMatch(says);
    expect(err).not.toMatch(/^\s+at .*\.[tj]s:\d+/m);
  });
});
