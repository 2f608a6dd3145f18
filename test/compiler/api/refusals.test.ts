import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as api from "../../../compiler/index.ts";
import { type TinyFiles, writeTiny } from "../../end-to-end/tiny-model.ts";

/** What a JavaScript caller, without types, may pass: refused with a UsageError, never ignored, never a TypeError. */
const dir = mkdtempSync(join(tmpdir(), "marillc-refusals-"));
const build = join(dir, "build");
const inputs = { tokens: [[1, 2, 3, 4]] };
const model = "model.onnx";
const party = { identity: "keys/server" };
let files: TinyFiles;

beforeAll(async () => {
  files = writeTiny(join(dir, "model"));
  const { model: tiny, base, calibration: calibrate } = files;
  await api.compile({ model: tiny, base, calibrate, reveal: { logits: "client" }, output: build });
});
afterAll(() => rmSync(dir, { recursive: true }));

const functions: Readonly<Record<string, unknown>> = { ...api };
type Name = Exclude<Extract<keyof typeof api, string>, "architectureNames" | "version" | "formatDiagnostic">;
const call = async (name: Name, options: unknown): Promise<unknown> =>
  (functions[name] as (given: unknown) => unknown)(options);
const refusal = async (name: Name, options: unknown): Promise<string> => {
  const error = await call(name, options).catch((found: unknown) => found);
  expect(error).toBeInstanceOf(api.UsageError);
  return (error as InstanceType<typeof api.UsageError>).reason;
};

/** The required options of each function, so that one more is what is refused. */
const least: readonly (readonly [Name, Readonly<Record<string, unknown>>])[] = [
  ["compile", { model, output: build }],
  ["check", { model }],
  ["checkBuild", { build }],
  ["cost", { build }],
  ["cost", { model }],
  ["cost", { architecture: "bert-tiny", dims: { seq: 4 } }],
  ["inspect", { model }],
  ["inspectBuild", { build }],
  ["inspectStudent", { manifest: "student.manifest.json" }],
  ["rewrite", { model, output: "student.onnx" }],
  ["run", { build, inputs }],
  ["generate", { build, prompt: "a" }],
  ["evaluate", { build, prompts: "p.jsonl", reference: model }],
  ["createKeys", { folder: "keys" }],
  ["acceptInvite", { invite: "client.invite.json", folder: "keys" }],
  ["serve", { ...party, build, listen: "127.0.0.1:0", dealer: "127.0.0.1:1" }],
  ["deal", { ...party, listen: "127.0.0.1:0" }],
  ["query", { ...party, build, server: "127.0.0.1:1", dealer: "127.0.0.1:1", inputs }],
  ["doctor", {}],
];

describe.each(least)("%s %o", (name, options) => {
  test("an unknown field is refused by its name", async () => {
    expect(await refusal(name, { ...options, revael: { logits: "client" } })).toContain("revael: expected one of ");
  });

  test("a required field that is missing, null, empty or of another type is refused by its name", async () => {
    for (const key of Object.keys(options).filter((each) => each !== "inputs")) {
      const { [key]: _, ...rest } = options;
      const says = name === "cost" && key !== "dims" ? "" : `${key}: `;
      expect(await refusal(name, rest), key).toContain(says);
      for (const wrong of [null, 5, true, () => key]) {
        expect(await refusal(name, { ...options, [key]: wrong }), `${key} ${wrong}`).toContain(`${key}: `);
      }
      if (key !== "prompt" && key !== "dims") expect(await refusal(name, { ...options, [key]: "" })).toContain(key);
    }
  });

  test("no options object", async () => {
    await refusal(name, null);
    await refusal(name, "model.onnx");
    await refusal(name, []);
  });
});

const serving = { ...party, build, listen: "127.0.0.1:0", dealer: "127.0.0.1:1" };
const asking = { ...party, build, server: "127.0.0.1:1", dealer: "127.0.0.1:1", inputs };
const link = { name: "ours", mbitPerSecond: 10, roundTripMs: 1 };
const bert = { architecture: "bert-tiny", dims: { seq: 4 } };
test.each<readonly [Name, Readonly<Record<string, unknown>>, string]>([
  ["check", { model, private: "*" }, "private: expected a list"],
  ["check", { model, private: [""] }, "private[0]: "],
  ["check", { model, reveal: ["logits"] }, "reveal: expected an object"],
  ["check", { model, reveal: new Map([["logits", "client"]]) }, "reveal: expected an object"],
  ["check", { model, reveal: { logits: "dealer" } }, "reveal.logits: expected client or server"],
  ["check", { model, reveal: { logits: ["client", "both"] } }, "reveal.logits[1]: expected client or server"],
  ["check", { model, public: "*" }, "public: expected a list"],
  ["compile", { model, output: build, verify: "no" }, "verify: expected true or false"],
  ["run", { build, inputs, clamp: 1 }, "clamp: expected true or false"],
  ["run", { build, inputs, guard: "off" }, "guard: expected true or false"],
  ["check", { model, inputs: { tokens: "dealer" } }, "inputs.tokens: expected client or server or public"],
  ["check", { model, dims: { seq: "48" } }, "dims.seq: expected an integer"],
  ["check", { model, fixed: { mask: 1.5 } }, "fixed.mask: expected an integer"],
  ["check", { model, buckets: [1.5] }, "buckets[0]: expected an integer"],
  ["check", { model, margin: "4" }, "margin: expected a number"],
  ["check", { model, precision: { wieght: 12 } }, "precision.wieght: expected one of"],
  ["check", { model, precision: { weight: 25 } }, "precision.weight: expected an integer from 1 to 24"],
  ["check", { model, mergedLora: 8 }, "mergedLora: expected an object"],
  ["check", { model, mergedLora: { rank: 0 } }, "mergedLora.rank: "],
  ["check", { model, mergedLora: { rank: 8, tolerance: 1 } }, "mergedLora.tolerance: "],
  ["check", { model, link: 5 }, "link: expected an object"],
  ["check", { model, link: { ...link, mbitPerSecond: 0 } }, "link.mbitPerSecond: expected a number above 0"],
  ["check", { model, link: { ...link, roundTripMs: Number.NaN } }, "link.roundTripMs: expected a number of at least 0"],
  ["check", { model, link: "fast" }, '"fast" is not a link'],
  ["cost", { build, ...bert }, "expected one of build, architecture, model, found build and architecture"],
  ["cost", { build, links: "lan" }, "links: expected a list"],
  ["cost", { build, diff: {} }, "diff: expected a result of cost"],
  ["cost", { ...bert, dims: { seq: 1e12 } }, "dims.seq: expected an integer from 1 to 1048576"],
  ["cost", { ...bert, mergeHeads: -2 }, "mergeHeads: "],
  ["rewrite", { model, output: "s.onnx", freeze: 7 }, "freeze: expected a fraction from 0 to 1"],
  ["rewrite", { model, output: "s.onnx", lora: { rank: 1e9 } }, "lora.rank: "],
  ["rewrite", { model, output: "s.onnx", lora: { rank: 8, alpha: Number.NaN } }, "lora.alpha: "],
  ["rewrite", { model, output: "s.onnx", heads: { what: "drop", size: 2 } }, "heads.what: expected merge or prune"],
  ["rewrite", { model, output: "s.onnx", heads: { what: "merge", size: 3 } }, "heads.size: expected 2 or 4"],
  ["rewrite", { model, output: "s.onnx", heads: { what: "merge", size: 2, scale: "constructor" } }, "heads.scale: "],
  ["rewrite", { model, output: "s.onnx", heads: { what: "prune", size: 2, scale: "mean" } }, "need heads.what merge"],
  ["run", { build, inputs: null }, "inputs: expected an object"],
  ["run", { build, inputs: { tokens: null } }, "inputs.tokens: "],
  ["run", { build, inputs: { tokens: [[1n]] } }, "inputs.tokens: expected numbers in nested lists, found bigint"],
  ["run", { build, inputs: { tokens: { shape: [1, 4] } } }, "inputs.tokens.data: expected a value"],
  ["run", { build, inputs: { tokens: { shape: [1, 4], data: "1234" } } }, "inputs.tokens.data: expected a list"],
  ["run", { build, inputFiles: "tokens=x.npy" }, "inputFiles: expected a list"],
  ["run", { build, inputs, signal: {} }, "signal: expected an AbortSignal"],
  ["run", { build, inputs, onWarning: "x" }, "onWarning: expected a function"],
  ["run", { build, inputs, plain: true, repeat: 2 }, "--plain runs none"],
  ["generate", { build, prompt: "a", remote: {} }, "remote.identity: expected a value"],
  ["createKeys", { folder: "keys", days: -5 }, "days: expected an integer from 1 to 36500"],
  ["serve", { ...serving, inputs: 5 }, "inputs: expected an object"],
  ["serve", { ...serving, onAnswer: "print" }, "onAnswer: expected a function"],
  ["query", { ...asking, record: 7 }, "record: expected a text"],
  ["deal", { ...party, listen: {} }, "listen.host: expected a value"],
  ["deal", { ...party, listen: { host: "", port: 0 } }, "listen.host: "],
  [
    "deal",
    { ...party, listen: { host: "127.0.0.1", port: 70000 } },
    "listen.port: expected an integer from 0 to 65535",
  ],
  ["deal", { ...party, listen: "127.0.0.1:0", maxBytes: "5" }, "maxBytes: "],
])("%s refuses %o", async (name, options, says) => {
  expect(await refusal(name, options)).toContain(says);
});

test("a setting that does not exist is refused for an architecture too", async () => {
  await expect(call("cost", { ...bert, setting: "4pc" })).rejects.toThrow(/MRL0650.*4pc/);
});

test("two problems are told at once", async () => {
  expect(await refusal("check", { model: 5, margin: "4" })).toMatch(/^check: model: .*; margin: /);
});

test("an undefined kind of cost is one that is not given", async () => {
  const options = { architecture: undefined, model: undefined, build };
  expect(await call("cost", options)).toEqual(await api.cost({ build }));
});

describe("files", () => {
  const codes = (error: unknown) =>
    (error as InstanceType<typeof api.DiagnosticError>).diagnostics.map(({ code }) => code);
  const failure = async (name: Name, options: unknown) => codes(await call(name, options).catch((found) => found));

  test("an output that cannot be written is refused before the parties start", async () => {
    const warned: string[] = [];
    const onWarning = (line: string) => warned.push(line);
    for (const output of [join(files.model, "o.npz"), dir]) {
      expect(await failure("run", { build, inputs, output, onWarning })).toEqual(["MRL0804"]);
    }
    expect(warned).toEqual([]);
  });

  test("an output of another ending is written, and what it is said", async () => {
    const warned: string[] = [];
    const output = join(dir, "out.txt");
    await api.run({ build, inputs, plain: true, output, onWarning: (line) => warned.push(line) });
    expect(warned).toEqual([`--output writes the format .npz, also into ${output}`]);
    expect(readFileSync(output).subarray(0, 2).toString()).toBe("PK");
  });

  test("a reference that ONNX Runtime cannot open has a code, and its place", async () => {
    for (const name of ["tokenizer.json", "config.json"]) {
      copyFileSync(new URL(`../../../fixtures/date-llama/${name}`, import.meta.url), join(build, "client", name));
    }
    const [prompts, reference] = [join(dir, "prompts.jsonl"), join(dir, "reference.onnx")];
    writeFileSync(prompts, '{"prompt": "a", "answer": "b"}\n');
    writeFileSync(reference, "no model");
    const failed = await call("evaluate", { build, prompts, reference }).catch((found: unknown) => found);
    expect(failed).toMatchObject({ diagnostics: [{ code: "MRL0826", at: reference }] });
  });

  test("layers that cannot be frozen are said", async () => {
    const warned: string[] = [];
    const onWarning = (line: string) => warned.push(line);
    const output = join(dir, "student", "student.onnx");
    const { manifest } = await api.rewrite({ model: files.base, output, freeze: 0.01, onWarning });
    expect(manifest.layers.frozen).toBe(0);
    expect(warned).toEqual([expect.stringMatching(/^--freeze 0.01 freezes nothing: the model has /)]);
  });

  test("what is not there, and what is none, has a code", async () => {
    expect(await failure("checkBuild", { build: join(dir, "none") })).toEqual(["MRL0804"]);
    expect(await failure("createKeys", { folder: files.model })).toEqual(["MRL0804"]);
  });

  test("a signal that has come stops the interpreter too", async () => {
    const options = { build, inputs, plain: true, signal: AbortSignal.abort("enough") };
    await expect(api.run(options)).rejects.toBe("enough");
  });
});
