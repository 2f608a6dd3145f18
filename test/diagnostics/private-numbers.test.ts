import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeSafetensors } from "../../compiler/tensors/safetensors.ts";
import { marillc } from "../cli/run-cli.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers } from "../end-to-end/tiny-model.ts";
import { npz, optionIn, type Refused, walk, workFolder } from "./walk.ts";

/* Refusals that private weights, adapters and public bounds cause. */

const { at, put } = workFolder("private-numbers");
mkdirSync(at("calib"));
put(
  "calib/0.npz",
  npz({
    x: [
      [1, 2, 3, 4],
      [-1, 0, 1, 0.5],
    ],
  }),
);
const reveal = ["--reveal", "*:client"];
const calibrated = [...reveal, "--calibrate", at("calib")];

/** x[2, 4]·w, and operators on it one by one. */
function written(file: string, weight: readonly number[], ...operators: readonly string[]): string {
  const last = operators.length;
  const nodes = operators.map((op, k) => node(op, [`h${k}`], [k + 1 === last ? "y" : `h${k + 1}`], `/${op}`));
  const graph = {
    name: "linear",
    initializer: [floatTensor("fc.weight", [4, 4], [...weight])],
    input: [floatInfo("x", 2, 4)],
    output: [floatInfo("y", 2, 4)],
    node: [node("MatMul", ["x", "fc.weight"], [last === 0 ? "y" : "h0"], "/fc/MatMul"), ...nodes],
  };
  return put(file, modelBytes(graph));
}
const model = written("model.onnx", numbers(16, 1, 0.5));
const owned = (file: string, ...options: readonly string[]) => ["check", file, "--private", "*", ...options];

const float = (name: string, rows: number, columns: number, seed = 5) => ({
  name: `base_model.model.${name}`,
  dtype: "float32" as const,
  shape: [rows, columns],
  bytes: new Uint8Array(Float32Array.from(numbers(rows * columns, seed, 0.1)).buffer),
});
const config = { peft_type: "LORA", r: 2, lora_alpha: 2, target_modules: ["fc"], bias: "none" };
interface AdapterParts {
  readonly config?: object;
  readonly module?: string;
  readonly width?: number;
  readonly halves?: readonly string[];
}
function adapter(
  name: string,
  { config: changes = {}, module = "fc", width = 4, halves = ["A", "B"] }: AdapterParts = {},
) {
  mkdirSync(at(name), { recursive: true });
  put(join(name, "adapter_config.json"), JSON.stringify({ ...config, ...changes }));
  const tensors = { A: float(`${module}.lora_A.weight`, 2, width), B: float(`${module}.lora_B.weight`, 4, 2, 6) };
  put(join(name, "adapter_model.safetensors"), writeSafetensors(halves.map((half) => tensors[half as "A" | "B"])));
  return at(name);
}
const adapted = (code: string, what: string, advice: RegExp, parts: AdapterParts): Refused => ({
  code,
  what,
  argv: () => ["check", model, "--adapter", adapter(code, parts), ...calibrated],
  advice,
  next: () => ["check", model, "--adapter", adapter(code), ...calibrated],
});

const adapters: readonly Refused[] = [
  adapted("MRL0140", "an adapter of another method", /save_pretrained/, { config: { peft_type: "IA3" } }),
  adapted("MRL0141", "an adapter with DoRA", /without|merge|save_pretrained/, { config: { use_dora: true } }),
  adapted("MRL0142", "half an adapter", /save_pretrained/, { halves: ["A"] }),
  adapted("MRL0423", "an adapter for a wider layer", /another base model/, { width: 8 }),
  adapted("MRL0426", "an adapter for a layer that is not there", /linear layers: fc/, {
    module: "head",
    config: { target_modules: ["head"] },
  }),
];

const ranges = (content: object | string) =>
  put("ranges.json", typeof content === "string" ? content : JSON.stringify({ schema: 1, values: content }));
const inputRange = [{ name: "x", lo: -4, hi: 4 }];
const bounded = (code: string, what: string, advice: RegExp, content: object | string): Refused => ({
  code,
  what,
  argv: () => owned(model, ...reveal, "--ranges", ranges(content)),
  advice,
  next: () => owned(model, ...reveal, "--ranges", ranges(inputRange)),
});

const bounds: readonly Refused[] = [
  bounded("MRL0666", "ranges that are no JSON", /write it as \{/, "x: -4 to 4"),
  bounded("MRL0667", "a range of a value that is not there", /the values of this model/, [
    ...inputRange,
    { name: "q", lo: 0, hi: 1 },
  ]),
  bounded("MRL0668", "a range out of order", /correct the row/, [{ name: "x", lo: 4, hi: -4 }]),
  {
    code: "MRL0669",
    what: "no public bounds",
    argv: () => owned(model, ...reveal),
    advice: /--calibrate <folder of \.npz>.*"name": "x".*--ranges <file>/,
    next: (help) => owned(model, ...reveal, "--ranges", put("advised.json", /(\{ "schema".*\]) \}/.exec(help)![0])),
  },
];

/** Checks a model whose layers changed: head by a matrix of full rank, and fc, where asked, by one of rank 1. */
function merged(file: string, seeds: readonly [number, number], withAdapter = false): readonly string[] {
  const layers = withAdapter ? ["fc", "head"] : ["head"];
  const [start, change] = seeds.map((seed) => numbers(16, seed, 0.5)) as [number[], number[]];
  const changed = {
    // (1, 1, 1, 1)ᵀ · (0, ¼, ½, ¾)
    fc: start.map((value, at) => Math.fround(value) + (at % 4) / 4),
    head: start.map((value, at) => value + change[at]! / 8),
  };
  const stack = (values: (layer: "fc" | "head") => number[]): Uint8Array =>
    modelBytes({
      name: "stack",
      initializer: layers.map((layer) => floatTensor(`${layer}.weight`, [4, 4], values(layer as "fc" | "head"))),
      input: [floatInfo("x", 2, 4)],
      output: [floatInfo(`h${layers.length}`, 2, 4)],
      node: layers.map((layer, k) =>
        node("MatMul", [k === 0 ? "x" : `h${k}`, `${layer}.weight`], [`h${k + 1}`], `/${layer}/MatMul`),
      ),
    });
  const base = put(
    `base-${file}`,
    stack(() => start),
  );
  const tuned = put(
    `tuned-${file}`,
    stack((layer) => changed[layer]),
  );
  return ["check", tuned, "--base", base, "--merged-lora", "1", ...calibrated];
}

const large = () => written("large.onnx", [20, ...numbers(15, 1, 0.5)]);
const far = () => written("far.onnx", numbers(16, 1, 5));
const weights: readonly Refused[] = [
  {
    code: "MRL0424",
    what: "a private matrix that a public one equals",
    argv: () => {
      const twin = (name: string) => floatTensor(name, [4, 4], numbers(16, 1, 0.5));
      const graph = {
        name: "twins",
        initializer: [twin("fc.weight"), twin("head.weight")],
        input: [floatInfo("x", 2, 4)],
        output: [floatInfo("y", 2, 4)],
        node: [
          node("MatMul", ["x", "fc.weight"], ["h"], "/fc/MatMul"),
          node("MatMul", ["h", "head.weight"], ["y"], "/head/MatMul"),
        ],
      };
      return ["check", put("twins.onnx", modelBytes(graph)), "--private", "fc*", ...calibrated];
    },
    advice: /--private fc\.weight --private head\.weight/,
    next: () => ["check", at("twins.onnx"), "--private", "fc.weight", "--private", "head.weight", ...calibrated],
  },
  {
    code: "MRL0428",
    what: "a change that is no merged adapter, of the only layer",
    argv: () => merged("model.onnx", [7, 8]),
    advice: /or leave out --merged-lora/,
    next: () => merged("model.onnx", [7, 8]).filter((word) => word !== "--merged-lora" && word !== "1"),
  },
  {
    code: "MRL0428",
    what: "a change that is no merged adapter, beside one that is",
    argv: () => merged("two.onnx", [7, 8], true),
    advice: /or --private head\.weight keeps it whole$/m,
    next: (help) => [...merged("two.onnx", [7, 8], true), ...optionIn(help, "--private")],
  },
  {
    code: "MRL0504",
    what: "a weight beyond its public bound",
    argv: () => owned(large(), ...calibrated),
    advice: /--precision weight=\d+/,
    next: (help) => owned(large(), ...calibrated, ...optionIn(help, "--precision")),
  },
  {
    code: "MRL0505",
    what: "values beyond their public bounds",
    argv: () => owned(far(), "--base", written("small.onnx", numbers(16, 9, 0.1)), ...calibrated),
    advice: /--margin \d+/,
    next: (help) => owned(far(), "--base", at("small.onnx"), ...calibrated, ...optionIn(help, "--margin")),
  },
  {
    code: "MRL0507",
    what: "the logarithm of a negative number",
    argv: () => owned(written("log.onnx", numbers(16, 1, 0.5), "Log"), ...calibrated),
    advice: /repair the node/,
    next: () => owned(written("log.onnx", numbers(16, 1, 0.5), "Sigmoid"), ...calibrated),
  },
];

walk([...adapters, ...bounds, ...weights]);

test("an output beyond its bounds is told once, not again of the value that opens it", async () => {
  const { out } = await marillc(...owned(far(), "--base", written("small.onnx", numbers(16, 9, 0.1)), ...calibrated));
  expect(out.match(/expected values in the public bounds/g)).toHaveLength(1);
});
