import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { marillcJson } from "../cli/run-cli.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { writeTiny } from "../end-to-end/tiny-model.ts";
import { npz, type Refused, walk, workFolder } from "./walk.ts";

const { at, put } = workFolder("options");
const tiny = writeTiny(at("tiny"));
/** y[2, 2] = x[2, 3]·w */
const product = put(
  "product.onnx",
  modelBytes({
    name: "product",
    initializer: [floatTensor("w", [3, 2], [0.5, -1, 0.25, 1, -0.5, 0.125])],
    input: [floatInfo("x", 2, 3)],
    output: [floatInfo("y", 2, 2)],
    node: [node("MatMul", ["x", "w"], ["y"], "/fc/MatMul")],
  }),
);
const owned = ["--private", "*", "--reveal", "*:client"];
const folderOf = (name: string, sample: Uint8Array): string => {
  mkdirSync(at(name), { recursive: true });
  put(join(name, "0.npz"), sample);
  return at(name);
};
const good = folderOf(
  "good",
  npz({
    x: [
      [1, 2, 3],
      [-1, 0, 1],
    ],
  }),
);
const checked =
  (...options: readonly string[]) =>
  (): readonly string[] => ["check", product, ...owned, ...options];
const prompted = (file: string) => (): readonly string[] => [
  "check",
  tiny.model,
  "--base",
  tiny.base,
  "--reveal",
  "*:client",
  "--calibrate",
  file,
];
const buildOf =
  (...options: readonly string[]) =>
  (): readonly string[] => ["compile", product, ...owned, "--calibrate", good, ...options];

const refusals: readonly Refused[] = [
  {
    code: "MRL0601",
    what: "a file where the build would go",
    argv: buildOf("-o", product),
    advice: /-o/,
    next: buildOf("-o", at("build")),
  },
  {
    code: "MRL0602",
    what: "a folder of other files where the build would go",
    argv: buildOf("-o", good),
    advice: /-o|empty|other/,
    next: buildOf("-o", at("build")),
  },
  {
    code: "MRL0650",
    what: "a preset that does not run in this setting",
    argv: checked("--preset", "puma"),
    advice: /--setting 3pc/,
    next: checked("--preset", "puma", "--setting", "3pc", "--calibrate", good),
  },
  {
    code: "MRL0651",
    what: "a margin below 1",
    argv: checked("--calibrate", good, "--margin", "0.5"),
    advice: /--margin/,
    next: checked("--calibrate", good, "--margin", "1"),
  },
  {
    code: "MRL0653",
    what: "a base adapter without an adapter",
    argv: checked("--calibrate", good, "--base-adapter", at("nowhere")),
    advice: /--adapter|leave out/,
    next: checked("--calibrate", good),
  },
  {
    code: "MRL0654",
    what: "merged adapters without a base",
    argv: checked("--calibrate", good, "--merged-lora", "1"),
    advice: /--base/,
    next: checked("--calibrate", good, "--base", product),
  },
  {
    code: "MRL0655",
    what: "a base adapter beside an .onnx_adapter file",
    argv: checked("--calibrate", good, "--adapter", at("a.onnx_adapter"), "--base-adapter", at("folder")),
    advice: /PEFT folders for both adapters, or leave out --base-adapter/,
    follow: false,
  },
  {
    code: "MRL0656",
    what: "shorter windows of a preset for whole windows",
    argv: () => [...prompted(tiny.calibration)(), "--buckets", "2", "--preset", "crypten"],
    advice: /leave out --buckets or --preset/,
    next: () => [...prompted(tiny.calibration)(), "--preset", "crypten"],
  },
  {
    code: "MRL0674",
    what: "features to scale without calibration inputs",
    argv: checked("--scale-features"),
    advice: /add --calibrate <folder>/,
    next: checked("--calibrate", good),
  },
  {
    code: "MRL0660",
    what: "calibration inputs that are not there",
    argv: checked("--calibrate", at("nowhere")),
    advice: /folder of \.npz/,
    next: checked("--calibrate", good),
  },
  {
    code: "MRL0661",
    what: "an empty folder of calibration inputs",
    argv: () => {
      mkdirSync(at("empty"), { recursive: true });
      return checked("--calibrate", at("empty"))();
    },
    advice: /a folder of \.npz or \.pb files/,
    next: () =>
      checked(
        "--calibrate",
        folderOf(
          "empty",
          npz({
            x: [
              [1, 2, 3],
              [-1, 0, 1],
            ],
          }),
        ),
      )(),
  },
  {
    code: "MRL0662",
    what: "prompts for a model of reals",
    argv: checked("--calibrate", tiny.calibration),
    advice: /--calibrate <folder>/,
    next: checked("--calibrate", good),
  },
  {
    code: "MRL0663",
    what: "a line that is no prompt",
    argv: () => prompted(put("lines.jsonl", '{"text": "abc"}\n'))(),
    advice: /\{"prompt": "abc", "answer": "d"\}/,
    next: () => prompted(put("lines.jsonl", '{"prompt": "abc", "answer": "d"}\n'))(),
  },
  {
    code: "MRL0664",
    what: "a calibration input of another shape",
    argv: () => checked("--calibrate", folderOf("shaped", npz({ x: [[1, 2, 3]] })))(),
    advice: /"x" of shape \[2, 3\]/,
    next: () =>
      checked(
        "--calibrate",
        folderOf(
          "shaped",
          npz({
            x: [
              [1, 2, 3],
              [0, 0, 1],
            ],
          }),
        ),
      )(),
  },
  {
    code: "MRL0670",
    what: "prompts without a tokenizer",
    argv: () => {
      const { model, base, calibration } = writeTiny(at("mute"));
      rmSync(join(at("mute"), "tokenizer.json"));
      return ["check", model, "--base", base, "--reveal", "*:client", "--calibrate", calibration];
    },
    advice: /tokenizer/,
    next: () => {
      const { model, base, calibration } = writeTiny(at("mute"));
      return ["check", model, "--base", base, "--reveal", "*:client", "--calibrate", calibration];
    },
  },
];

walk(refusals);

test("MRL0002: wrong usage, as JSON", async () => {
  const { code, json } = await marillcJson<{ error: readonly { code: string; help: string }[] }>(
    "check",
    "--colour",
    "x",
  );
  expect(code).toBe(2);
  expect(json.error.map((each) => each.code)).toEqual(["MRL0002"]);
  expect(json.error[0]!.help).toBe("see marillc --help");
});
