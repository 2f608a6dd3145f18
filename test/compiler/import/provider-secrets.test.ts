import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { afterAll, describe, expect, it } from "vitest";
import { readModel } from "../../../compiler/onnx/decode.ts";
import { importOwned } from "../../../compiler/owned.ts";
import { notesOf } from "../../../compiler/report/model-notes.ts";
import { type StoredTensor, writeSafetensors } from "../../../compiler/weights/safetensors.ts";
import { tensor } from "../../../ir/weights.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node } from "../onnx/build.ts";
import { runImported } from "./recorded.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-secrets-"));
afterAll(() => rmSync(dir, { recursive: true }));

const [rows, width] = [2, 4];
/** [in, out], as an exporter stores it; a base has the transpose. */
const first = numbers(width * width, 1, 0.5);
const second = numbers(width * width, 2, 0.5);
const vector = numbers(width, 3, 0.5);
const turned = (matrix: readonly number[]): number[] =>
  matrix.map((_, at) => matrix[(at % width) * width + Math.floor(at / width)]!);

type Values = readonly number[];
const stored = (name: string, shape: readonly number[], values: Values, dtype: "float32" | "int64" = "float32") => {
  const bytes = dtype === "float32" ? Float32Array.from(values) : BigInt64Array.from(values, (value) => BigInt(value));
  return { name, dtype, shape, bytes: new Uint8Array(bytes.buffer) } satisfies StoredTensor;
};
const publicLayer = stored("fc0.weight", [width, width], turned(first));

function baseOf(...more: readonly StoredTensor[]): string {
  const path = join(dir, "base.safetensors");
  writeFileSync(path, writeSafetensors([publicLayer, ...more]));
  return path;
}

const integers = (name: string, dims: number[], values: Values, dataType = 7): proto.ITensorProto =>
  dataType === 7 ? { name, dims, dataType, int64Data: [...values] } : { name, dims, dataType, int32Data: [...values] };
const cast = (from: string, to: string): proto.INodeProto => ({
  ...node("Cast", [from], [to]),
  attribute: [{ name: "to", type: 2, i: 1 }],
});
const constant = (output: string, attribute: proto.IAttributeProto): proto.INodeProto => ({
  ...node("Constant", [], [output]),
  attribute: [attribute],
});
const layer = (at: number, from: string, weight: string, to: string): proto.INodeProto =>
  node("MatMul", [from, weight], [to], `/fc${at}/MatMul`);

interface Case {
  readonly initializer: readonly proto.ITensorProto[];
  readonly nodes: readonly proto.INodeProto[];
}

/** A public layer x → h, then what is tried, h → y. */
function modelOf({ initializer, nodes }: Case, name = "model"): string {
  const path = join(dir, `${name}.onnx`);
  const graph = {
    name,
    initializer: [floatTensor("onnx::MatMul_1", [width, width], first), ...initializer],
    input: [floatInfo("x", rows, width)],
    output: [floatInfo("y", rows, width)],
    node: [layer(0, "x", "onnx::MatMul_1", "h"), ...nodes],
  };
  writeFileSync(path, modelBytes(graph));
  return path;
}

/** Names of private weights, and the model's result. */
function look(given: Case, options: { readonly base?: string; readonly private?: readonly string[] }) {
  const { imported, ownership, surrogate } = importOwned(
    { model: modelOf(given), ...options },
    { allowAllPublic: true },
  );
  const x = tensor([rows, width], Float64Array.from(numbers(rows * width, 9, 0.5)));
  const [y] = [...runImported(imported, new Map([["x", x]])).values()];
  const secrets = ownership.table.filter(({ label }) => label === "server").map((line) => line.name);
  const labels = Object.entries(imported.module.params).flatMap(([id, key]) =>
    imported.module.values[id]!.type.label === "server" ? [imported.stored.get(key)!.weight] : [],
  );
  // What is computed with is labelled as the table says.
  expect(new Set(labels)).toEqual(new Set(secrets));
  return { secrets, y: [...y!.data], why: ownership.table.map(({ why }) => why), surrogate };
}

const add = (value: string): proto.INodeProto => node("Add", ["h", value], ["y"], "/fc1/Add");

describe("numbers of the provider's, whatever form the file has for them", () => {
  const asInitializer: Case = { initializer: [floatTensor("fc1.bias", [width], vector)], nodes: [add("fc1.bias")] };
  const wanted = look(asInitializer, { base: baseOf() }).y;
  const branch = (
    name: string,
    inner: readonly proto.INodeProto[],
    initializer: readonly proto.ITensorProto[] = [],
  ) => ({
    name,
    initializer: [...initializer],
    node: [...inner],
    output: [floatInfo(`${name}_y`, rows, width)],
  });
  const inner = [node("Add", ["h", "k"], ["t_y"])];
  const choice = (then: proto.IGraphProto): readonly proto.INodeProto[] => [
    constant("c", { name: "value", type: 4, t: { dims: [], dataType: 9, int32Data: [1] } }),
    {
      ...node("If", ["c"], ["y"]),
      attribute: [
        { name: "then_branch", type: 5, g: then },
        { name: "else_branch", type: 5, g: branch("e", [node("Identity", ["h"], ["e_y"])]) },
      ],
    },
  ];
  const k = { name: "value", type: 4, t: floatTensor("", [width], vector) };

  it.each<[string, Case, string]>([
    ["an initializer", asInitializer, "fc1.bias"],
    [
      "a list in an attribute",
      { initializer: [], nodes: [constant("c1", { name: "value_floats", type: 6, floats: vector }), add("c1")] },
      "c1",
    ],
    ["a constant of a branch", { initializer: [], nodes: choice(branch("t", [constant("k", k), ...inner])) }, "k"],
    [
      "an initializer of a branch",
      { initializer: [], nodes: choice(branch("t", inner, [floatTensor("k", [width], vector)])) },
      "k",
    ],
    [
      "a table of the code's own",
      { initializer: [floatTensor("m.lifted_tensor_0", [width], vector)], nodes: [add("m.lifted_tensor_0")] },
      "m.lifted_tensor_0",
    ],
  ])("%s is private, and computes the same", (_, given, name) => {
    const { secrets, y } = look(given, { base: baseOf() });
    expect(secrets).toEqual([name]);
    for (const [at, value] of y.entries()) expect(value).toBeCloseTo(wanted[at]!, 6);
    expect(look(given, { private: [name] }).secrets).toContain(name);
  });

  it("two branches may call what they have the same", () => {
    const other = { ...k, t: floatTensor("", [width], numbers(width, 4, 0.5)) };
    const [, chosen] = choice(branch("t", [constant("k", k), ...inner]));
    const nodes = [
      constant("c", { name: "value", type: 4, t: { dims: [], dataType: 9, int32Data: [0] } }),
      {
        ...chosen!,
        attribute: [
          chosen!.attribute![0]!,
          { name: "else_branch", type: 5, g: branch("e", [constant("k", other), node("Add", ["h", "k"], ["e_y"])]) },
        ],
      },
    ];
    // That of the branch which is not taken is told as well: nothing depends on it.
    expect(codesOf(() => look({ initializer: [], nodes }, { private: ["k*"] }))).toEqual(["MRL0425"]);
    const { secrets, y } = look(
      { initializer: [], nodes },
      { private: ["k_1"], base: baseOf(stored("k", [width], vector)) },
    );
    expect(secrets).toEqual(["k_1"]);
    const plain = { initializer: [floatTensor("fc1.bias", [width], numbers(width, 4, 0.5))], nodes: [add("fc1.bias")] };
    expect(y).toEqual(look(plain, { private: ["fc1.*"] }).y);
  });
});

describe("integers", () => {
  const q = numbers(width * width, 5, 90).map(Math.round);
  const scaled: Case = {
    initializer: [integers("fc1.q", [width, width], q, 3), floatTensor("fc1.s", [width], [0.01, 0.02, 0.01, 0.03])],
    nodes: [cast("fc1.q", "real"), node("Mul", ["real", "fc1.s"], ["w"]), layer(1, "h", "w", "y")],
  };

  it("that are made real are a weight, as quantised models have them", () => {
    expect(look(scaled, { base: baseOf() }).secrets).toEqual(["fc1.q", "fc1.s"]);
    expect(look(scaled, { private: ["fc1.q"] }).secrets).toContain("fc1.q");
    const known = baseOf(
      stored("fc1.q", [width, width], q, "int64"),
      stored("fc1.s", [width], [0.01, 0.02, 0.01, 0.03]),
    );
    expect(look(scaled, { base: known }).secrets).toEqual([]);
  });

  it.each<[string, Case]>([
    [
      "computed with before",
      {
        initializer: [integers("t", [width, width], q), integers("one", [1], [1])],
        nodes: [node("Add", ["t", "one"], ["u"]), cast("u", "w"), layer(1, "h", "w", "y")],
      },
    ],
    [
      "with a parameter's name",
      {
        initializer: [integers("fc1.order", [width], [2, 0, 3, 1])],
        nodes: [{ ...node("Gather", ["h", "fc1.order"], ["y"]), attribute: [{ name: "axis", type: 2, i: 1 }] }],
      },
    ],
  ])("%s are refused where nothing proves them public", (_, given) => {
    expect(codesOf(() => look(given, { base: baseOf() }))).toEqual(["MRL0431"]);
    const [{ name, dims, int64Data }] = given.initializer as [proto.ITensorProto];
    const same = stored(name!, dims as number[], int64Data as number[], "int64");
    expect(look(given, { base: baseOf(same) }).secrets).toEqual([]);
  });
});

describe("integers of places", () => {
  const [places, few] = [8, 3];
  const table = (extent: number, of: (row: number, column: number) => number): Case => {
    const data = Array.from({ length: extent * extent }, (_, at) => of(Math.floor(at / extent), at % extent));
    return {
      initializer: [integers("t", [extent, extent], data)],
      nodes: [
        node("Abs", ["t"], ["u"]),
        cast("u", "real"),
        node("ReduceMax", ["real"], ["most"]),
        node("Mul", ["h", "most"], ["y"]),
      ],
    };
  };

  it.each<[string, (row: number, column: number) => number]>([
    ["distances", (row, column) => column - row],
    ["steps behind a place", (row, column) => (column > row ? 16 : 0)],
    ["distances up to an end", (row, column) => Math.max(row - column, 0)],
    ["one number", () => 15],
  ])("%s are part of the architecture", (_, of) => {
    expect(look(table(places, of), { base: baseOf() }).secrets).toEqual([]);
  });

  it.each<[string, number, (row: number, column: number) => number]>([
    ["one that is another number", places, (row, column) => (row === 5 && column === 2 ? 1 : column - row)],
    ["buckets that may be trained", places, (row, column) => [0, 3, 1, 4, 1, 5, 9, 2][Math.abs(column - row)]!],
    ["too few to tell", few, (row, column) => 7 * (column - row)],
  ])("%s are not", (_, extent, of) => {
    expect(codesOf(() => look(table(extent, of), { base: baseOf() }))).toEqual(["MRL0431"]);
  });
});

describe("a tensor that an exporter has merged of equal parameters", () => {
  const norm = (at: number, from: string, weight: string, to: string): proto.INodeProto =>
    node("Mul", [from, weight], [to], at < 0 ? "" : `/norm${at}/Mul`);
  const merged = (at: readonly [number, number]): Case => ({
    initializer: [floatTensor("norm0.weight", [width], vector)],
    nodes: [norm(at[0], "h", "norm0.weight", "u"), norm(at[1], "u", "norm0.weight", "y")],
  });
  const byName: Case = {
    initializer: [floatTensor("norm0.weight", [width], vector)],
    nodes: [
      node("Identity", ["norm0.weight"], ["norm1.weight"]),
      norm(0, "h", "norm0.weight", "u"),
      norm(1, "u", "norm1.weight", "y"),
    ],
  };
  const gain = (at: number, by = 0): StoredTensor =>
    stored(
      `norm${at}.weight`,
      [width],
      vector.map((value) => value + by),
    );

  it.each<[string, Case]>([
    ["by an Identity", byName],
    ["by its uses", merged([0, 1])],
  ])("is told apart %s: each is compared with its own", (_, given) => {
    expect(look(given, { base: baseOf(gain(0), gain(1)) }).secrets).toEqual([]);
    expect(look(given, { base: baseOf(gain(0), gain(1, 1)) }).secrets).toEqual(["norm1.weight"]);
    expect(look(given, { base: baseOf(gain(0, 1), gain(1)) }).secrets).toEqual(["norm0.weight"]);
    expect(look(given, { private: ["norm1.*"] }).secrets).toEqual(["norm1.weight"]);
    // The base gives a start for each, so that a fresh model can be compiled.
    expect(look(given, { base: baseOf(gain(0, 1), gain(1, 2)) }).surrogate.missing).toEqual([]);
  });

  it("is marked as the server's in notes if one of its parameters is", () => {
    const path = modelOf(byName);
    const { ownership } = importOwned({ model: path, base: baseOf(gain(0), gain(1, 1)) });
    const { tensors } = notesOf({ model: readModel(path), ownership, inputs: {}, blockers: [] });
    expect(tensors.get("norm0.weight")!.known_to).toBe("server");
    expect(tensors.get("onnx::MatMul_1")!.known_to).toBe("everyone");
  });

  it("is refused where a few numbers would be any number of parameters", () => {
    const count = 40_000;
    const nodes = Array.from({ length: count }, (_, at) =>
      norm(at, at === 0 ? "h" : `h${at}`, "norm0.weight", at === count - 1 ? "y" : `h${at + 1}`),
    );
    const wide = {
      initializer: [floatTensor("norm0.weight", [rows * 32, width], numbers(rows * 32 * width, 3, 1))],
      nodes,
    };
    expect(codesOf(() => look(wide, { base: baseOf() }))).toEqual(["MRL0433"]);
  });

  it("has each name in an ONNX base that was merged too", () => {
    const base = modelOf(merged([0, 1]), "base");
    const other: Case = {
      initializer: [
        floatTensor("norm0.weight", [width], vector),
        floatTensor("norm1.weight", [width], numbers(width, 8, 0.5)),
      ],
      nodes: [norm(0, "h", "norm0.weight", "u"), norm(1, "u", "norm1.weight", "y")],
    };
    const { secrets, surrogate } = look(other, { base });
    expect(secrets).toEqual(["norm1.weight"]);
    expect(surrogate.missing).toEqual([]);
  });

  it("is public where the file does not tell its uses, if all that they may be agree", () => {
    expect(look(merged([-1, -1]), { base: baseOf(gain(0), gain(1)) }).secrets).toEqual([]);
    const { secrets, why } = look(merged([-1, -1]), { base: baseOf(gain(0), gain(1, 1)) });
    expect(secrets).toEqual(["norm0.weight"]);
    expect(why.join()).toContain("one may be norm1.weight");
  });

  it("is refused where it is a matrix, public here and private there", () => {
    const given = { initializer: [], nodes: [layer(1, "h", "onnx::MatMul_1", "y")] };
    const base = (values: Values) => baseOf(stored("fc1.weight", [width, width], turned(values)));
    expect(look(given, { base: base(first) }).secrets).toEqual([]);
    expect(codesOf(() => look(given, { base: base(second) }))).toEqual(["MRL0424"]);
    // A layer that the base has not is a copy of one that it has.
    expect(codesOf(() => look(given, { base: baseOf() }))).toEqual(["MRL0424"]);
  });
});

describe("the base's numbers in another place or order", () => {
  const nameless = (values: Values): Case => ({
    initializer: [floatTensor("onnx::MatMul_2", [width, width], [...values])],
    nodes: [node("MatMul", ["h", "onnx::MatMul_2"], ["y"])],
  });
  const table = stored("table.weight", [width, width], second);
  const rowsOf = (...order: number[]): number[] => order.flatMap((row) => second.slice(row * width, (row + 1) * width));

  it.each<[string, Values, boolean]>([
    ["as they are", second, true],
    ["transposed", turned(second), true],
    ["rows in another order", rowsOf(2, 1, 3, 0), false],
    ["rows of which some are left out", rowsOf(0, 1, 1, 3), false],
    ["one row for every place", rowsOf(1, 1, 1, 1), true],
    ["of another sign", second.map((value) => -value), false],
  ])("%s", (_, values, known) => {
    expect(look(nameless(values), { base: baseOf(table) }).secrets).toEqual(known ? [] : ["onnx::MatMul_2"]);
  });

  it("a table of fewer rows than the base's of its name is the provider's choice", () => {
    const fewer: Case = {
      initializer: [floatTensor("table.weight", [2, width], rowsOf(0, 1))],
      nodes: [add("table.weight")],
    };
    const { secrets, why } = look(fewer, { base: baseOf(table) });
    expect(secrets).toEqual(["table.weight"]);
    expect(why.join()).toContain("has another shape");
  });

  it("a column of numbers is no choice of rows, and a zero has its sign", () => {
    const column: Case = { initializer: [floatTensor("onnx::Add_2", [2, 1], [0.3, 0.1])], nodes: [add("onnx::Add_2")] };
    const known = baseOf(stored("t.weight", [3, 1], [0.1, 0.2, 0.3]));
    expect(look(column, { base: known }).secrets).toEqual(["onnx::Add_2"]);
    const zero: Case = { initializer: [floatTensor("fc1.bias", [width], [0.5, -0, 0, 1])], nodes: [add("fc1.bias")] };
    expect(look(zero, { base: baseOf(stored("fc1.bias", [width], [0.5, 0, 0, 1])) }).secrets).toEqual(["fc1.bias"]);
    expect(look(zero, { base: baseOf(stored("fc1.bias", [width], [0.5, -0, 0, 1])) }).secrets).toEqual([]);
  });

  it("knows a gain that is kept as its difference from 1", () => {
    const folded: Case = {
      initializer: [
        floatTensor(
          "onnx::Mul_2",
          [width],
          vector.map((value) => Math.fround(1 + Math.fround(value))),
        ),
      ],
      nodes: [node("Mul", ["h", "onnx::Mul_2"], ["y"])],
    };
    expect(look(folded, { base: baseOf(stored("norm.weight", [width], vector)) }).secrets).toEqual([]);
    expect(look(folded, { base: baseOf() }).secrets).toEqual(["onnx::Mul_2"]);
  });

  it("takes trained frequencies for the provider's where the base has others", () => {
    const given: Case = {
      initializer: [floatTensor("m.rotary_emb.inv_freq", [width], [1, 0.7, 0.3, 0.1])],
      nodes: [add("m.rotary_emb.inv_freq")],
    };
    const base = (values: Values) => baseOf(stored("m.rotary_emb.inv_freq", [width], values));
    expect(look(given, { base: base([1, 0.1, 0.01, 0.001]) }).secrets).toEqual(["m.rotary_emb.inv_freq"]);
    expect(look(given, { base: base([1, 0.7, 0.3, 0.1]) }).secrets).toEqual([]);
  });
});

describe("what the base has not", () => {
  it("starts as its framework starts it, so that a new head can be compiled", () => {
    const head: Case = {
      initializer: [
        floatTensor("classifier.weight", [width, width], second),
        floatTensor("classifier.bias", [width], vector),
      ],
      nodes: [
        {
          ...node("Gemm", ["h", "classifier.weight", "classifier.bias"], ["y"], "/classifier/Gemm"),
          attribute: [{ name: "transB", type: 2, i: 1 }],
        },
      ],
    };
    const { secrets, surrogate } = look(head, { base: baseOf() });
    expect(secrets).toEqual(["classifier.weight", "classifier.bias"]);
    expect(surrogate.missing).toEqual([]);
    expect([...surrogate.weights.get("classifier.bias")!.data]).toEqual([0, 0, 0, 0]);
    for (const value of surrogate.weights.get("classifier.weight")!.data) {
      expect(Math.abs(value)).toBeLessThanOrEqual(0.5);
      expect(second).not.toContain(value);
    }
  });
});
