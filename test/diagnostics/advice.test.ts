import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll } from "vitest";
import { writeNpz } from "../../compiler/tensors/npz.ts";
import { writeSafetensors } from "../../compiler/tensors/safetensors.ts";
import { tensor } from "../../ir/tensor.ts";
import { marillc } from "../cli/run-cli.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers } from "../end-to-end/tiny-model.ts";
import { npz, optionIn, type Refused, walk, workFolder } from "./walk.ts";

/* Advice about weights, adapters and the files of a build: matrices of 4 × 4, and one build for all. */

const { at, put } = workFolder("advice");
const rows = (seed: number): number[][] => [numbers(4, seed, 1), numbers(4, seed + 1, 1)];
mkdirSync(at("calib"));
put("calib/0.npz", npz({ x: rows(1) }));

/** Layers x[2, 4]·w one after the other. */
function stack(file: string, layers: readonly string[], size = 0.5): string {
  const last = layers.length;
  return put(
    file,
    modelBytes({
      name: "stack",
      initializer: layers.map((layer, k) => floatTensor(`${layer}.weight`, [4, 4], numbers(16, k + 1, size))),
      input: [floatInfo("x", 2, 4)],
      output: [floatInfo("y", 2, 4)],
      node: layers.map((layer, k) =>
        node(
          "MatMul",
          [k === 0 ? "x" : `h${k}`, `${layer}.weight`],
          [k + 1 === last ? "y" : `h${k + 1}`],
          `/${layer}/MatMul`,
        ),
      ),
    }),
  );
}
const [single, double] = [stack("single.onnx", ["fc"]), stack("double.onnx", ["fc", "head"])];
const calibrated = ["--reveal", "*:client", "--calibrate", at("calib")];

const float = (name: string, shape: readonly number[], seed: number) => ({
  name: `base_model.model.${name}`,
  dtype: "float32" as const,
  shape,
  bytes: new Uint8Array(
    Float32Array.from(
      numbers(
        shape.reduce((a, b) => a * b),
        seed,
        0.1,
      ),
    ).buffer,
  ),
});
/** A PEFT folder with low-rank halves for `layers`, and whole weights for `saved`. */
function adapter(
  name: string,
  layers: readonly string[],
  targets: string | readonly string[] = layers,
  saved: readonly string[] = [],
): string {
  mkdirSync(at(name), { recursive: true });
  const modules = saved.length > 0 ? { modules_to_save: saved } : {};
  const config = { peft_type: "LORA", r: 2, lora_alpha: 2, target_modules: targets, bias: "none", ...modules };
  put(join(name, "adapter_config.json"), JSON.stringify(config));
  const tensors = layers.flatMap((layer) => [
    float(`${layer}.lora_A.weight`, [2, 4], 5),
    float(`${layer}.lora_B.weight`, [4, 2], 6),
  ]);
  const whole = saved.map((layer) => float(`${layer}.weight`, [4, 4], 7));
  put(join(name, "adapter_model.safetensors"), writeSafetensors([...tensors, ...whole]));
  return at(name);
}
const [a, b] = [adapter("a", ["fc"]), adapter("b", ["fc"])];
const replacing = adapter("replacing", ["fc"], ["fc"], ["head"]);
const checked = (model: string, ...options: readonly string[]) => [
  "check",
  model,
  ...options,
  ...calibrated,
  "--no-verify",
];
/** A refusal whose advice is to give other adapters. */
const adapted = (
  code: string,
  what: string,
  advice: RegExp,
  wrong: readonly string[],
  right: readonly string[],
): Refused => ({
  code,
  what,
  argv: () => checked(double, ...wrong),
  advice,
  next: () => checked(double, ...right),
});

const adapters: readonly Refused[] = [
  {
    code: "MRL0429",
    what: "a whole weight that the model does not have",
    argv: () => checked(single, "--adapter", replacing),
    advice: /./,
    next: () => checked(double, "--adapter", replacing),
  },
  {
    code: "MRL0432",
    what: "a layer without tensors that the configuration names",
    argv: () => checked(double, "--adapter", adapter("partial", ["fc"], "fc|head")),
    advice: /give the complete adapter/,
    next: () => checked(double, "--adapter", adapter("partial", ["fc", "head"])),
  },
  adapted(
    "MRL0434",
    "a choice of adapters that replace whole weights",
    /build of its own.*--adapter <peft-dir>/,
    ["--adapter", `a=${a}`, "--adapter", `b=${replacing}`],
    ["--adapter", replacing],
  ),
  adapted(
    "MRL0436",
    "a file of ONNX Runtime among several",
    /give PEFT folders/,
    ["--adapter", `a=${a}`, "--adapter", `b=${put("b.onnx_adapter", "x")}`],
    ["--adapter", `a=${a}`, "--adapter", `b=${b}`],
  ),
  adapted(
    "MRL0437",
    "a folder twice in a sum",
    /name each folder once/,
    ["--adapter", `${a}+${a}`],
    ["--adapter", `${a}+${b}`],
  ),
  adapted(
    "MRL0438",
    "a base adapter with several adapters",
    /compile with one --adapter/,
    ["--adapter", `${a}+${b}`, "--base-adapter", a],
    ["--adapter", a, "--base-adapter", a],
  ),
  adapted(
    "MRL0143",
    "an .onnx_adapter file that is none",
    /./,
    ["--adapter", put("none.onnx_adapter", "no flatbuffer")],
    ["--adapter", a],
  ),
];

/** Rows of an embedding with an index from a file. */
const embedding = put(
  "embedding.onnx",
  modelBytes({
    name: "embedding",
    initializer: [floatTensor("e.weight", [4, 4], numbers(16, 1, 0.5))],
    input: [{ name: "ids", type: { tensorType: { elemType: 7, shape: { dim: [{ dimValue: 2 }] } } } }],
    output: [floatInfo("y", 2, 4)],
    node: [node("Gather", ["e.weight", "ids"], ["y"], "/e/Gather")],
  }),
);
const ids = (...indices: readonly number[]): string =>
  put("ids.npz", writeNpz(new Map([["ids", { dtype: "int64" as const, tensor: tensor([2], [...indices]) }]])));
/** A model whose rows have no size. */
const open = put(
  "open.onnx",
  modelBytes({
    name: "open",
    initializer: [floatTensor("fc.weight", [4, 4], numbers(16, 1, 0.5))],
    input: [{ name: "x", type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: "n" }, { dimValue: 4 }] } } } }],
    output: [floatInfo("y", 2, 4)],
    node: [node("MatMul", ["x", "fc.weight"], ["y"], "/fc/MatMul")],
  }),
);
/** A base in shards: the index lists what each shard has. */
function shards(listed: string): string {
  mkdirSync(at("shards"), { recursive: true });
  const bytes = new Uint8Array(Float32Array.from(numbers(16, 1, 0.5)).buffer);
  put("shards/a.safetensors", writeSafetensors([{ name: "fc.weight", dtype: "float32", shape: [4, 4], bytes }]));
  put("shards/model.safetensors.index.json", JSON.stringify({ weight_map: { [listed]: "a.safetensors" } }));
  return at("shards");
}

/** x·w for w in integers of 8 bits with so many scales of columns. */
const quantised = (scales: number): string =>
  put(
    "quantised.onnx",
    modelBytes({
      name: "quantised",
      initializer: [
        { name: "fc.weight", dims: [4, 4], dataType: 3, int32Data: Array.from({ length: 16 }, (_, k) => k - 8) },
        floatTensor("scale", [scales], Array(scales).fill(0.05)),
      ],
      input: [floatInfo("x", 2, 4)],
      output: [floatInfo("y", 2, 4)],
      node: [
        {
          ...node("DequantizeLinear", ["fc.weight", "scale"], ["w"], "/q"),
          attribute: [{ name: "axis", type: 2, i: 1 }],
        },
        node("MatMul", ["x", "w"], ["y"], "/fc/MatMul"),
      ],
    }),
  );
/** Columns of x·w in an order that has the name of a parameter. */
const ordered = put(
  "ordered.onnx",
  modelBytes({
    name: "ordered",
    initializer: [
      floatTensor("fc.weight", [4, 4], numbers(16, 1, 0.5)),
      { name: "fc.order", dims: [4], dataType: 7, int64Data: [2, 0, 3, 1] },
    ],
    input: [floatInfo("x", 2, 4)],
    output: [floatInfo("y", 2, 4)],
    node: [
      node("MatMul", ["x", "fc.weight"], ["h"], "/fc/MatMul"),
      { ...node("Gather", ["h", "fc.order"], ["y"], "/fc/Gather"), attribute: [{ name: "axis", type: 2, i: 1 }] },
    ],
  }),
);

const models: readonly Refused[] = [
  {
    code: "MRL0133",
    what: "an index that lists another tensor than its shard has",
    argv: () => checked(single, "--private", "*", "--base", shards("other.weight")),
    advice: /save the tensors again|copied completely/,
    next: () => checked(single, "--private", "*", "--base", shards("fc.weight")),
  },
  {
    code: "MRL0135",
    what: "a file of a folder that is a link out of it",
    argv: () => {
      shards("fc.weight");
      mkdirSync(at("linked"), { recursive: true });
      symlinkSync(at("shards/a.safetensors"), at("linked/model.safetensors"));
      return checked(single, "--private", "*", "--base", at("linked"));
    },
    advice: /copy the file into the folder/,
    next: () => {
      rmSync(at("linked/model.safetensors"));
      writeFileSync(at("linked/model.safetensors"), readFileSync(at("shards/a.safetensors")));
      return checked(single, "--private", "*", "--base", at("linked"));
    },
  },
  {
    code: "MRL0407",
    what: "an input of too many elements",
    argv: () => ["check", open, "--dim", "n=9000000000000000"],
    advice: /smaller sizes: --dim <name>=<size>/,
    next: () => ["check", open, "--dim", "n=2"],
  },
  {
    code: "MRL0410",
    what: "an empty output",
    argv: () => ["check", open, "--dim", "n=0"],
    advice: /--dim n=1/,
    next: (help) => ["check", open, ...optionIn(help, "--dim")],
  },
  {
    code: "MRL0119",
    what: "a quantised weight with fewer scales than columns",
    argv: () => checked(quantised(3), "--private", "*"),
    advice: /quantize the model again/,
    next: () => checked(quantised(4), "--private", "*"),
  },
  {
    code: "MRL0431",
    what: "a private table of integers that selects",
    argv: () => checked(ordered, "--private", "*"),
    advice: /add --public 'fc\.order'/,
    next: () => checked(ordered, "--private", "*", "--public", "fc.order"),
  },
  {
    code: "MRL0501",
    what: "bounds that no ring holds",
    argv: () => {
      put("wide.json", JSON.stringify({ schema: 1, values: [{ name: "x", lo: -1e18, hi: 1e18 }] }));
      return ["check", single, "--private", "*", "--reveal", "*:client", "--ranges", at("wide.json")];
    },
    advice: /--calibrate/,
    next: () => checked(single, "--private", "*"),
  },
  {
    code: "MRL0603",
    what: "a build directory where no folder can be made",
    argv: () => ["compile", single, "--private", "*", ...calibrated, "--no-verify", "-o", "/proc/marillc/build"],
    advice: /another folder with -o/,
    next: () => ["compile", single, "--private", "*", ...calibrated, "--no-verify", "-o", at("elsewhere")],
  },
  {
    code: "MRL0657",
    what: "a guard of a layer that is not there",
    argv: () => checked(single, "--private", "*", "--guard", "nowhere"),
    advice: /name one of these|leave out --guard/,
    next: () => checked(single, "--private", "*"),
  },
  {
    code: "MRL0665",
    what: "a calibration input with an index outside of its table",
    argv: () => ["check", embedding, "--private", "*", "--reveal", "*:client", "--calibrate", ids(1, 7)],
    advice: /indices from 0 to 3/,
    next: () => ["check", embedding, "--private", "*", "--reveal", "*:client", "--calibrate", ids(1, 3)],
  },
];

/** softmax(x·w) with a large element in w. */
const steep = (size: number): string =>
  put(
    "steep.onnx",
    modelBytes({
      name: "steep",
      initializer: [floatTensor("fc.weight", [4, 4], [size, ...numbers(15, 1, 0.5)])],
      input: [floatInfo("x", 2, 4)],
      output: [floatInfo("y", 2, 4)],
      node: [node("MatMul", ["x", "fc.weight"], ["h"], "/fc/MatMul"), node("Softmax", ["h"], ["y"], "/Softmax")],
    }),
  );
const heavy = stack("heavy.onnx", ["fc"], 400000);
const weights: readonly Refused[] = [
  {
    code: "MRL0504",
    what: "a weight that no precision holds",
    argv: () => checked(heavy, "--private", "*"),
    advice: /--publish-ranges$/m,
    next: () => checked(heavy, "--private", "*", "--publish-ranges"),
  },
  {
    code: "MRL0507",
    what: "values for which a preset's formulas have none",
    argv: () => checked(steep(60000), "--private", "*", "--base", at("steep.onnx"), "--preset", "crypten"),
    advice: /--preset marill/,
    next: () => checked(steep(60000), "--private", "*", "--base", at("steep.onnx"), "--preset", "marill"),
  },
];

const build = at("build");
const choices = at("choices");
const x = put("x.npz", npz({ x: rows(1) }));
const compileAgain = ["compile", single, "--private", "*", ...calibrated, "--no-verify", "-o", build];
beforeAll(async () => {
  await marillc(...compileAgain);
  await marillc(
    "compile",
    single,
    "--adapter",
    `a=${a}`,
    "--adapter",
    `b=${b}`,
    ...calibrated,
    "--no-verify",
    "-o",
    choices,
  );
});
const own = (): string => join(build, "server/weights.safetensors");
const asked = ["run", build, "--in-process", "--input", x];

/** What a party's file of weights holds instead: the advice is to compile again. */
const damaged = (code: string, what: string, change: () => void): Refused => ({
  code,
  what,
  argv: () => {
    change();
    return asked;
  },
  advice: /compile again|marillc compile/,
  next: () => compileAgain,
});
const stored = (name: string, dtype: "int32" | "int64" | "float32", shape: readonly number[], fill: number) => {
  const size = shape.reduce((product, each) => product * each, 1);
  const made = {
    int32: () => new Int32Array(size).fill(fill),
    int64: () => new BigInt64Array(size).fill(BigInt(fill)),
    float32: () => new Float32Array(size).fill(fill),
  };
  return { name, dtype, shape, bytes: new Uint8Array(made[dtype]().buffer) };
};
const weightName = (): string =>
  Object.keys(JSON.parse(headerOf(readFileSync(own())))).find((key) => key !== "__metadata__")!;
/** The JSON at the beginning of a safetensors file. */
const headerOf = (file: Buffer): string => file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString();
const put4 = (...tensors: Parameters<typeof writeSafetensors>[0]): void =>
  writeFileSync(own(), writeSafetensors(tensors));

const builds: readonly Refused[] = [
  damaged("MRL0621", "a build whose weights are missing", () => put4()),
  damaged("MRL0623", "a build with a weight of another shape", () => put4(stored(weightName(), "int32", [2, 8], 1))),
  damaged("MRL0624", "a build with a weight beyond its bits", () =>
    put4(stored(weightName(), "int64", [4, 4], 2 ** 52)),
  ),
  damaged("MRL0625", "a build with a weight of reals", () => put4(stored(weightName(), "float32", [4, 4], 1))),
  damaged("MRL0622", "a build with one weight more", () =>
    put4(stored(weightName(), "int32", [4, 4], 1), stored("more", "int32", [4, 4], 1)),
  ),
  damaged("MRL0616", "a build whose program is of another module", () => {
    const file = join(build, "server/program.js");
    writeFileSync(file, readFileSync(file, "utf8").replace(/"[0-9a-f]{64}"/, `"${"0".repeat(64)}"`));
  }),
  {
    code: "MRL0626",
    what: "a build with several adapters, of which none is chosen",
    argv: () => ["run", choices, "--in-process", "--input", x],
    advice: /choose one: --adapter a/,
    next: (help) => ["run", choices, "--in-process", "--input", x, ...optionIn(help, "--adapter")],
  },
];

walk([...adapters, ...models, ...weights, ...builds]);
