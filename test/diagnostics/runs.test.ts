import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect } from "vitest";
import { marillc } from "../cli/run-cli.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { writeTiny } from "../end-to-end/tiny-model.ts";
import { npz, type Refused, walk, workFolder } from "./walk.ts";

const { at, put } = workFolder("runs");
const tiny = writeTiny(at("tiny"));
const modelFile = modelBytes({
  name: "product",
  initializer: [floatTensor("w", [3, 2], [0.5, -1, 0.25, 1, -0.5, 0.125])],
  input: [floatInfo("x", 2, 3)],
  output: [floatInfo("y", 2, 2)],
  node: [node("MatMul", ["x", "w"], ["y"], "/fc/MatMul")],
});
/** One beside a tokenizer, which the build gets too, and one without. */
const [product, silent] = [put("tiny/product.onnx", modelFile), put("product.onnx", modelFile)];
const [text, numeric, mute] = [at("text"), at("numeric"), at("mute")];
beforeAll(async () => {
  mkdirSync(at("calib"));
  put(
    "calib/0.npz",
    npz({
      x: [
        [1, 2, 3],
        [-1, 0, 1],
      ],
    }),
  );
  const calibrated = ["--private", "*", "--calibrate", at("calib")];
  const builds = [
    [tiny.model, text, "--base", tiny.base, "--calibrate", tiny.calibration],
    [product, numeric, ...calibrated],
    [silent, mute, ...calibrated],
  ] as const;
  for (const [model, out, ...options] of builds) {
    const { code, err } = await marillc("compile", model, "--reveal", "*:client", ...options, "-o", out);
    expect(code, err).toBe(0);
  }
});

const x = (file: string, ...rows: readonly (readonly number[])[]): string => put(file, JSON.stringify({ x: rows }));
const good = x("good.json", [1, 2, 3], [-1, 0, 1]);
const runOf =
  (...options: readonly string[]) =>
  (): readonly string[] => ["run", numeric, "--in-process", ...options];
const evaluated = (line: string) => (): readonly string[] => [
  "evaluate",
  text,
  "--in-process",
  "--reference",
  tiny.model,
  "--prompts",
  put("prompts.jsonl", `${line}\n`),
];

const refusals: readonly Refused[] = [
  {
    code: "MRL0610",
    what: "a folder that is no build",
    argv: () => {
      mkdirSync(at("half"));
      copyFileSync(join(numeric, "manifest.json"), at("half/manifest.json"));
      return ["run", at("half"), "--input", good];
    },
    advice: /marillc compile/,
    next: runOf("--input", good),
  },
  {
    code: "MRL0611",
    what: "a folder that is no build",
    argv: () => ["run", at("calib"), "--input", good],
    advice: /marillc compile/,
    next: runOf("--input", good),
  },
  {
    code: "MRL0670",
    what: "text from a build without a tokenizer",
    argv: () => ["generate", mute, "--in-process", "--prompt", "ab"],
    advice: /marillc run/,
    next: () => ["run", mute, "--in-process", "--input", `x=${good}`],
  },
  ...(
    [
      ["MRL0101", "nowhere.npy", undefined, /check the path/],
      ["MRL0150", "broken.npy", "numbers", /\.npy/],
      ["MRL0151", "broken.npz", "numbers", /\.npz/],
      ["MRL0152", "broken.json", '{"x": [[1, 2], [3]]}', /\{"x": \[\[1, 2\]\]\}/],
      ["MRL0153", "broken.txt", "1 2 3", /\.json/],
    ] as const
  ).map(
    ([code, file, content, advice]): Refused => ({
      code,
      what: `an input in ${file}`,
      argv: () => runOf("--input", content === undefined ? at(file) : put(file, content))(),
      advice,
      next: () => runOf("--input", x("written.json", [1, 2, 3], [-1, 0, 1]))(),
    }),
  ),
  ...(
    [
      ["MRL0612", "manifest.json", (text: string) => text.replace(/"schema": *\d+/, '"schema": 999')],
      ["MRL0613", "client/program.mir", (text: string) => `${text} `],
      ["MRL0614", "client/program.js", (text: string) => `${text}\n;(`],
      ["MRL0620", "server/weights.safetensors", undefined],
    ] as const
  ).map(
    ([code, file, change]): Refused => ({
      code,
      what: `a build whose ${file} is ${change ? "changed" : "missing"}`,
      argv: () => {
        cpSync(numeric, at(code), { recursive: true });
        const path = join(at(code), file);
        if (change) put(join(code, file), change(readFileSync(path, "utf8")));
        else rmSync(path);
        return ["run", at(code), "--in-process", "--input", good];
      },
      advice: /copy|compile again/,
      next: () => {
        cpSync(numeric, at(code), { recursive: true });
        return ["run", at(code), "--in-process", "--input", good];
      },
    }),
  ),
  {
    code: "MRL0671",
    what: "a tokenizer that is no tokenizer",
    argv: () => {
      cpSync(text, at("garbled"), { recursive: true });
      put("garbled/client/tokenizer.json", "[]");
      return ["generate", at("garbled"), "--in-process", "--prompt", "ab"];
    },
    advice: /copy the tokenizer files of the model again: tokenizer\.json and tokenizer_config\.json/,
    next: () => {
      for (const file of ["tokenizer.json", "tokenizer_config.json"])
        copyFileSync(join(at("tiny"), file), join(at("garbled"), "client", file));
      return ["generate", at("garbled"), "--in-process", "--prompt", "ab"];
    },
  },
  {
    code: "MRL0687",
    what: "a .json file that is not a student's",
    argv: () => ["inspect", put("other.manifest.json", '{"schema": 1}')],
    advice: /marillc rewrite/,
    follow: false,
  },
  {
    code: "MRL0804",
    what: "an output in a folder that is a file",
    argv: () => runOf("--input", good, "--output", join(good, "out.npz"))(),
    advice: /path|folder|permission/,
    next: runOf("--input", good, "--output", at("out.npz")),
  },
  {
    code: "MRL0814",
    what: "a token that the table does not have",
    argv: () => ["run", text, "--in-process", "--input", put("tokens.json", '{"tokens": [[3, 99, 4, 1]]}')],
    advice: /token|index|indices|range/,
    next: () => ["run", text, "--in-process", "--input", put("tokens.json", '{"tokens": [[3, 1, 4, 1]]}')],
  },
  {
    code: "MRL0826",
    what: "a reference that is no model",
    argv: () => evaluated('{"prompt": "abc", "answer": "d"}')().map((word) => (word === tiny.model ? good : word)),
    advice: /--reference <model\.onnx>/,
    next: () => evaluated('{"prompt": "abc", "answer": "d"}')(),
  },
  {
    code: "MRL0801",
    what: "an option that is refused",
    argv: () => ["cost", numeric, "--html", at("report.html")],
    advice: /--json/,
    next: () => ["cost", numeric, "--json"],
  },
  {
    code: "MRL0802",
    what: "a budget that is no JSON",
    argv: () => ["cost", numeric, "--budget", put("budget.json", "rounds: 9")],
    advice: /"rounds"/,
    next: () => ["cost", numeric, "--budget", put("budget.json", '{"rounds": 99}')],
  },
  {
    code: "MRL0803",
    what: "nothing to count",
    argv: () => ["cost"],
    advice: /marillc cost --architecture bert-tiny --dim seq=32 --private all/,
    next: () => ["cost", "--architecture", "bert-tiny", "--dim", "seq=32", "--private", "all"],
  },
  {
    code: "MRL0811",
    what: "no input",
    argv: runOf(),
    advice: /--input x=/,
    next: runOf("--input", `x=${good}`),
  },
  {
    code: "MRL0812",
    what: "an input of another shape",
    argv: () => runOf("--input", x("short.json", [1, 2, 3]))(),
    advice: /\[2, 3\]|--dim/,
    next: () => runOf("--input", x("short.json", [1, 2, 3], [0, 0, 0]))(),
  },
  {
    code: "MRL0813",
    what: "an input beyond its bounds",
    argv: () => runOf("--input", x("large.json", [1e6, 2, 3], [0, 0, 0]))(),
    advice: /--clamp/,
    next: () => runOf("--input", at("large.json"), "--clamp")(),
  },
  {
    code: "MRL0817",
    what: "one input of two files",
    argv: () => runOf("--input", good, "--input", x("other.json", [0, 0, 0], [0, 0, 0]))(),
    advice: /once|one/,
    next: runOf("--input", good),
  },
  {
    code: "MRL0820",
    what: "text from a model of reals",
    argv: () => ["generate", numeric, "--in-process", "--prompt", "ab"],
    advice: /marillc run .* --input x=/,
    next: runOf("--input", `x=${good}`),
  },
  {
    code: "MRL0821",
    what: "a prompt that is longer than the window",
    argv: () => ["generate", text, "--in-process", "--prompt", "abcdefg"],
    advice: /shorten the prompt/,
    next: () => ["generate", text, "--in-process", "--prompt", "ab"],
  },
  {
    code: "MRL0821",
    what: "an empty prompt",
    argv: () => ["generate", text, "--in-process", "--prompt", ""],
    advice: /--prompt/,
    next: () => ["generate", text, "--in-process", "--prompt", "ab"],
  },
  {
    code: "MRL0825",
    what: "a line that is no question",
    argv: () => evaluated('{"prompt": "ab"}')(),
    advice: /\{"prompt": "abc", "answer": "d"\}/,
    next: () => evaluated('{"prompt": "abc", "answer": "d"}')(),
  },
  {
    code: "MRL0830",
    what: "an unknown architecture",
    argv: () => ["cost", "--architecture", "bert-titanic", "--dim", "seq=32"],
    advice: /bert-tiny/,
    next: () => ["cost", "--architecture", "bert-tiny", "--dim", "seq=32", "--private", "all"],
  },
  {
    code: "MRL0831",
    what: "a model's option beside an architecture",
    argv: () => [
      "cost",
      "--architecture",
      "bert-tiny",
      "--dim",
      "seq=32",
      "--private",
      "all",
      "--calibrate",
      at("calib"),
    ],
    advice: /leave out/,
    next: () => ["cost", "--architecture", "bert-tiny", "--dim", "seq=32", "--private", "all"],
  },
  {
    code: "MRL0832",
    what: "decoding of an encoder",
    argv: () => ["cost", "--architecture", "bert-tiny", "--dim", "context=32", "--private", "all", "--phase", "decode"],
    advice: /--phase prefill/,
    next: () => ["cost", "--architecture", "bert-tiny", "--dim", "seq=32", "--private", "all", "--phase", "prefill"],
  },
  {
    code: "MRL0833",
    what: "a size that is missing",
    argv: () => ["cost", "--architecture", "bert-tiny", "--private", "all"],
    advice: /--dim seq=128/,
    next: () => ["cost", "--architecture", "bert-tiny", "--private", "all", "--dim", "seq=128"],
  },
  {
    code: "MRL0834",
    what: "a preset of another setting",
    argv: () => ["cost", "--architecture", "bert-tiny", "--dim", "seq=32", "--private", "all", "--preset", "puma"],
    advice: /--setting 3pc/,
    next: () => [
      "cost",
      "--architecture",
      "bert-tiny",
      "--dim",
      "seq=32",
      "--private",
      "all",
      "--preset",
      "puma",
      "--setting",
      "3pc",
    ],
  },
];

walk(refusals);
