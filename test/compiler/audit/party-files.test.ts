import onnxProto, { type onnx as proto } from "onnx-proto";
import { describe, expect, test } from "vitest";
import { checkClientModels } from "../../../compiler/audit/client-models.ts";
import { sha256 } from "../../../compiler/audit/party-files.ts";
import type { ParsedManifest } from "../../../compiler/audit/read-manifest.ts";
import { constantsOfGraphs, unreadGraphs } from "../../../compiler/audit/unread-parts.ts";
import { decodeModel } from "../../../compiler/onnx/format/decode-model.ts";
import { extractSubgraph } from "../../../compiler/onnx/format/extract-subgraph.ts";
import { catalogWeights } from "../../../compiler/onnx/weights/catalog-weights.ts";
import { constantDigests } from "../../../compiler/onnx/weights/constant-digests.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";
import { withInitializer, withModel } from "./files.ts";

const { onnx } = onnxProto;
const int = { elemType: 7, shape: { dim: [{ dimValue: 4 }] } };

/** tokens → rows of a table → + positions; and the shape of the rows, which exporters of dynamic models read. */
const model = decodeModel(
  modelBytes({
    name: "rows",
    initializer: [
      floatTensor("table", [3, 2], [1, 2, 3, 4, 5, 6]),
      floatTensor("positions", [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
    input: [{ name: "tokens", type: { tensorType: int } }],
    output: [floatInfo("sum", 4, 2), { name: "extents", type: { tensorType: int } }],
    node: [
      node("Gather", ["table", "tokens"], ["rows"], "gather"),
      node("Add", ["rows", "positions"], ["sum"], "add"),
      node("Shape", ["rows"], ["extents"], "shape"),
    ],
  }),
  "rows.onnx",
);
const types = new Map([
  ["tokens", { dtype: "int64", dims: [4] }],
  ["rows", { dtype: "float32", dims: [4, 2] }],
  ["sum", { dtype: "float32", dims: [4, 2] }],
  ["extents", { dtype: "int64", dims: [2] }],
] as const);
const cut = (outputs: readonly string[]): Uint8Array =>
  extractSubgraph(model, ["tokens"], outputs, { name: "c", types });

const bytesOf = (numbers: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(numbers).buffer);
const manifest = (more: Partial<ParsedManifest> = {}): ParsedManifest => ({
  name: "rows",
  setting: "2pc-dealer",
  security: "",
  programHash: "",
  artefactsHash: "",
  // Transposed, as frameworks store what exporters transpose.
  weights: [{ name: "table", label: "public", sha256: sha256(bytesOf([1, 3, 5, 2, 4, 6])) }],
  constants: [{ name: "positions", sha256: sha256(bytesOf([1, 2, 3, 4, 5, 6, 7, 8])) }],
  inputs: [{ name: "tokens", label: "client" }],
  cuts: [{ value: "sum", tensor: "sum", shape: [4, 2] }],
  tails: [],
  clientOutputs: [],
  reveals: [],
  ...more,
});
/** A tensor as the client's files have it: any other form of its numbers is refused for the form alone. */
const stored = (name: string, dims: number[], values: number[]): proto.ITensorProto & { readonly name: string } => ({
  ...{ name, dims, dataType: 1, rawData: bytesOf(values) },
});
const path = "client/public.onnx";
const messages = (bytes: Uint8Array, more?: Partial<ParsedManifest>): readonly string[] =>
  checkClientModels(new Map([[path, bytes]]), manifest(more)).map(({ message }) => message);
const changed = (change: (message: proto.ModelProto) => void): Uint8Array =>
  withModel(new Map([[path, cut(["sum"])]]), path, change).get(path)!;

const inAttribute = (attribute: proto.IAttributeProto): Uint8Array =>
  changed((message) => {
    message.graph!.node![0]!.attribute = [{ name: "value", ...attribute }];
  });

describe("the client's model", () => {
  test("is accepted with public weights and listed constants, transposed or not", () => {
    expect(messages(cut(["sum"]))).toEqual([]);
  });

  test("may have any number of small constants whose digests the manifest lists", () => {
    const scalars = Array.from({ length: 65 }, (_, k) => stored(`w${k}`, [1], [k]));
    const bytes = changed((message) => {
      message.graph!.initializer!.push(...scalars);
      message.graph!.node![1]!.input!.push(...scalars.map(({ name }) => name));
    });
    const listed = scalars.map(({ name }, k) => ({ name, sha256: sha256(bytesOf([k])) }));
    expect(messages(bytes, { constants: [...manifest().constants, ...listed] })).toEqual([]);
    expect(messages(bytes)).toEqual(["it has 65 different reals and 3 integers that no digest covers"]);
  });

  test("has no nodes that only read each other: a tensor could lie there for a reader", () => {
    const bytes = changed(({ graph }) => {
      graph!.initializer!.push(stored("mark", [1], [1]));
      graph!.node!.push({ opType: "Add", name: "loop", input: ["mark", "loop"], output: ["loop"] });
    });
    expect(messages(bytes)).toEqual(["loop is computed from what follows it"]);
  });

  test("counts its constants, which are public by the word of the builder, and the words that nothing reads", () => {
    const files = new Map([[path, cut(["sum"])]]);
    expect(constantsOfGraphs(files, manifest())).toEqual([{ name: "positions", numbers: 8 }]);
    expect(unreadGraphs(files, manifest())).toEqual([
      [path, expect.stringMatching(/^0 different reals and \d+ integers .*; \d+ names and strings of \d+ characters$/)],
    ]);
  });

  test("is refused with a private weight, or a tensor that the manifest does not list", () => {
    expect(messages(cut(["sum"]), { weights: [{ name: "table", label: "server" }] })).toEqual([
      "tensor table is not a public weight or constant of the manifest",
    ]);
    expect(messages(cut(["sum"]), { constants: [] })).toHaveLength(1);
  });

  test("contains no private weight that is needed only for its shape", () => {
    const bytes = cut(["extents"]);
    const { graph } = onnx.ModelProto.decode(bytes);
    expect(graph!.initializer!.map(({ name }) => name)).toEqual(["extents"]);
    expect(graph!.node).toEqual([]);
    expect(new BigInt64Array(Uint8Array.from(graph!.initializer![0]!.rawData!).buffer)).toEqual(
      BigInt64Array.of(4n, 2n),
    );
    const cuts = [{ value: "extents", tensor: "extents", shape: [2] }];
    expect(messages(bytes, { cuts, weights: [{ name: "table", label: "server" }] })).toEqual([]);
  });

  test("takes the client's inputs, and outputs the cuts", () => {
    expect(messages(cut(["sum"]), { inputs: [{ name: "tokens", label: "server" }] })).toHaveLength(1);
    expect(messages(cut(["sum", "rows"]))).toEqual(["it computes rows, which the manifest does not name"]);
    expect(messages(cut(["rows"]))).toEqual([
      "it computes rows, which the manifest does not name",
      "it does not compute sum",
    ]);
    expect(checkClientModels(new Map(), manifest())).toHaveLength(1);
  });

  const hidden: Readonly<Record<string, Uint8Array>> = {
    "bytes behind the end": Uint8Array.from([...cut(["sum"]), 0xfa, 0x7f, 1, 0]),
    "no model at all": Uint8Array.of(255, 255, 255),
    metadata: changed((message) => {
      message.metadataProps = [{ key: "more", value: "text" }];
    }),
    "a note": changed((message) => {
      message.docString = "text";
    }),
    "an operator set with a text": changed((message) => {
      message.opsetImport!.push({ domain: "0.25 0.125 -3", version: 1 });
    }),
    "a border with more axes than a tensor has": changed((message) => {
      message.graph!.output![0]!.type!.tensorType!.shape!.dim!.push(
        ...Array.from({ length: 16 }, () => ({ dimValue: 7 })),
      );
    }),
    "an empty tensor of many axes": changed((message) => {
      const dims = [0, ...Array.from({ length: 16 }, (_, k) => k)];
      message.graph!.initializer!.push({ name: "empty", dims, dataType: 7, rawData: new Uint8Array(0) });
      message.graph!.node![0]!.input!.push("empty");
    }),
    "a function": changed((message) => {
      message.functions = [{ name: "f" }];
    }),
    "a tensor in an attribute": changed((message) => {
      const t = stored("", [2], [1, 2]);
      message.graph!.node![0]!.attribute = [{ name: "value", type: onnx.AttributeProto.AttributeType.TENSOR, t }];
    }),
    "numbers in an attribute": changed((message) => {
      message.graph!.node![0]!.attribute = [
        { name: "value", type: onnx.AttributeProto.AttributeType.FLOATS, floats: [1, 2] },
      ];
    }),
    "a tensor in a nested graph": changed((message) => {
      const g = { name: "inner", initializer: [stored("w", [2], [1, 2])] };
      message.graph!.node![0]!.attribute = [{ name: "body", type: onnx.AttributeProto.AttributeType.GRAPH, g }];
    }),
    "one more initializer": withInitializer(new Map([[path, cut(["sum"])]]), stored("w", [2], [1, 2])).get(path)!,
    "a sparse tensor": changed((message) => {
      message.graph!.sparseInitializer = [{ values: stored("w", [2], [1, 2]), dims: [4] }];
    }),
    "a sparse tensor in an attribute": inAttribute({ type: 11, sparseTensor: { values: stored("w", [1], [1]) } }),
    "a tensor of strings": changed((message) => {
      message.graph!.initializer!.push({ name: "w", dims: [1], dataType: 8, stringData: [Uint8Array.of(1)] });
    }),
    "a tensor in another file": changed((message) => {
      message.graph!.initializer![0] = { name: "table", dims: [3, 2], dataType: 1, dataLocation: 1 };
    }),
    "text in an attribute": inAttribute({ type: 3, s: new TextEncoder().encode("0.123 ".repeat(20)) }),
    "texts in an attribute": inAttribute({ type: 8, strings: [new TextEncoder().encode("0.123 ".repeat(20))] }),
    "a field of another type of attribute": inAttribute({ type: 2, i: 1, f: 0.5 }),
    "a note on an attribute": inAttribute({ type: 2, i: 1, docString: "0.123" }),
    "a note on a node": changed((message) => {
      message.graph!.node![0]!.docString = "0.123";
    }),
    "a note on the graph": changed((message) => {
      message.graph!.docString = "0.123";
    }),
    "a note on a tensor": changed((message) => {
      message.graph!.initializer![0]!.docString = "0.123";
    }),
    "a note on an input": changed((message) => {
      message.graph!.input![0]!.docString = "0.123";
    }),
    "types of values inside": changed((message) => {
      message.graph!.valueInfo = [floatInfo("rows", 4, 2)];
    }),
    "another producer": changed((message) => {
      message.producerName = "0.123";
    }),
    "a version of the producer": changed((message) => {
      message.producerVersion = "0.123";
    }),
    "reals in many small tensors": changed((message) => {
      for (let k = 0; k < 10_000; k++) {
        message.graph!.initializer!.push(stored(`w${k}`, [1], [k]));
        message.graph!.node![1]!.input!.push(`w${k}`);
      }
    }),
    "integers in many small tensors": changed((message) => {
      for (let k = 0; k < 100; k++) {
        message.graph!.initializer!.push({ name: `w${k}`, dims: [16], dataType: 7, rawData: new Uint8Array(128) });
        message.graph!.node![1]!.input!.push(`w${k}`);
      }
    }),
    "a number that nothing reads": withInitializer(new Map([[path, cut(["sum"])]]), stored("w", [1], [1])).get(path)!,
    "a node that nothing reads": changed((message) => {
      message.graph!.node!.push(node("Neg", ["rows"], ["w"], "idle"));
    }),
    "an initializer that says it is smaller": changed((message) => {
      message.graph!.initializer!.push({ name: "w", dims: [1], dataType: 1, rawData: new Uint8Array(64) });
    }),
  };
  test.each(Object.entries(hidden))("is refused with %s", (_, bytes) => {
    expect(messages(bytes)).not.toEqual([]);
  });
});

test("the compiler lists exactly the constants of the client's model, tables and lists alike", () => {
  const { INTS, FLOATS } = onnx.AttributeProto.AttributeType;
  const listed = decodeModel(
    modelBytes({
      name: "listed",
      initializer: [
        { name: "steps", dims: [20], dataType: 7, int64Data: Array.from({ length: 20 }, (_, k) => k) },
        { name: "axes", dims: [1], dataType: 7, int64Data: [0] },
      ],
      input: [floatInfo("x", 3)],
      output: [floatInfo("y", 3), floatInfo("z", 20)],
      node: [
        {
          ...node("Constant", [], ["floats"]),
          attribute: [{ name: "value_floats", type: FLOATS, floats: [0.5, 1.5, 0.1] }],
        },
        { ...node("Constant", [], ["one"]), attribute: [{ name: "value_ints", type: INTS, ints: [3] }] },
        node("Mul", ["x", "floats"], ["y"]),
        node("Identity", ["steps"], ["z"]),
      ],
    }),
    "listed.onnx",
  );
  const constants = constantDigests(catalogWeights(listed));
  expect(constants.map(({ name, shape }) => [name, shape])).toEqual([
    ["steps", [20]],
    ["floats", [3]],
  ]);
  const border = new Map([
    ["x", { dtype: "float32", dims: [3] }],
    ["y", { dtype: "float32", dims: [3] }],
    ["z", { dtype: "int64", dims: [20] }],
  ] as const);
  const bytes = extractSubgraph(listed, ["x"], ["y", "z"], { name: "c", types: border });
  const wanted: Partial<ParsedManifest> = {
    inputs: [{ name: "x", label: "client" }],
    cuts: ["y", "z"].map((tensor) => ({ value: tensor, tensor, shape: [] })),
    weights: [],
  };
  expect(messages(bytes, { ...wanted, constants })).toEqual([]);
  expect(messages(bytes, { ...wanted, constants: [] })).toHaveLength(2);
});
