import type { onnx as proto } from "onnx-proto";
import { floatInfo, floatTensor, node } from "../../compiler/onnx/format/build-model.ts";
import { compile, type HostileCase, type HostileClass } from "./cases.ts";
import { graph, graphCase, model, withTensor } from "./models.ts";

const tensorCase = (name: string, fields: proto.ITensorProto): HostileCase =>
  graphCase(name, () => withTensor({ dataType: 1, ...fields }));
const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const matrix = (value: number): Uint8Array => floats(...Array.from({ length: 16 }, () => value));

type External = Readonly<Record<string, string>>;
const external = (entries: External, name = "layer.weight"): proto.ITensorProto => {
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  return { name, dims: [4, 4], dataType: 1, dataLocation: 1, externalData };
};
const data = new Uint8Array(Float32Array.from({ length: 64 }, (_, at) => 0.25 + (at % 16) / 64).buffer);

function externalCase(
  name: string,
  entries: External,
  more: Pick<HostileCase, "links" | "valid"> = {},
  files: Readonly<Record<string, Uint8Array>> = { "weights.data": data, "sub/weights.data": data },
): HostileCase {
  return { name, files: () => ({ "model.onnx": model({ initializer: [external(entries)] }), ...files }), ...more };
}

/** Many tensors of one file: w0 · w1 · … on x. */
function manyExternal(name: string, ranges: readonly External[], valid?: true): HostileCase {
  const initializer = ranges.map((range, at) => external(range, `layers.${at}.weight`));
  const nodes = ranges.map((_, at) => {
    return node(
      "MatMul",
      [at === 0 ? "x" : `h${at}`, `layers.${at}.weight`],
      [at === ranges.length - 1 ? "y" : `h${at + 1}`],
    );
  });
  const files = () => ({ "model.onnx": model({ initializer, node: nodes }), "weights.data": data });
  return { name, files, ...(valid && { valid }) };
}

const at = (offset: number, length = 64): External => ({
  location: "weights.data",
  offset: String(offset),
  length: String(length),
});

export const tensorClasses: readonly HostileClass[] = [
  {
    name: "dimensions of tensors",
    open: compile,
    codes: ["MRL0114"],
    cases: [
      tensorCase("a product beyond 2^64", { dims: [2 ** 31, 2 ** 31, 2 ** 31], rawData: new Uint8Array(4) }),
      tensorCase("a product of 2^64, which is 0 in 64 bits", { dims: [2 ** 32, 2 ** 32], rawData: new Uint8Array(0) }),
      tensorCase("2^53", { dims: [2 ** 53], rawData: new Uint8Array(4) }),
      tensorCase("2^33", { dims: [2 ** 33], rawData: new Uint8Array(4) }),
      tensorCase("2^31 without data", { dims: [2 ** 31] }),
      tensorCase("a negative one", { dims: [-1], floatData: [1] }),
      tensorCase("two negative ones", { dims: [-4, -4], rawData: matrix(1) }),
      tensorCase("-2^63", { dims: [-(2 ** 63)], floatData: [1] }),
      tensorCase("one that is 0, with data", { dims: [0, 4], floatData: [1] }),
      tensorCase("100,000 of them", { dims: Array<number>(100_000).fill(2 ** 52), floatData: [1] }),
      tensorCase("100,000 of 1", { dims: Array<number>(100_000).fill(1), floatData: [1] }),
      tensorCase("less data than they say", { dims: [4, 4], floatData: [1] }),
      tensorCase("more data than they say", { dims: [2], rawData: matrix(1) }),
      tensorCase("half an element", { dims: [4, 4], rawData: new Uint8Array(63) }),
    ],
  },
  {
    name: "contents of tensors",
    open: compile,
    codes: ["MRL0109", "MRL0111", "MRL0114", "MRL0115", "MRL0118", "MRL0506"],
    cases: [
      tensorCase("data in two fields", { dims: [1], floatData: [1], rawData: new Uint8Array(4) }),
      tensorCase("data in the field of another type", { dims: [1], int64Data: [1] }),
      tensorCase("an int8 of 300", { dims: [1], dataType: 3, int32Data: [300] }),
      tensorCase("a bool of 2^31", { dims: [1], dataType: 9, int32Data: [2 ** 31 - 1] }),
      tensorCase("text", { dims: [1], dataType: 8, stringData: [new Uint8Array()] }),
      tensorCase("complex numbers", { dims: [1], dataType: 14, rawData: new Uint8Array(8) }),
      tensorCase("no type", { dims: [1], dataType: 0, rawData: new Uint8Array(4) }),
      tensorCase("a type from the future", { dims: [1], dataType: 99, rawData: new Uint8Array(1) }),
      tensorCase("a negative type", { dims: [1], dataType: -1, rawData: new Uint8Array(1) }),
      tensorCase("a segment", { dims: [1], floatData: [1], segment: { begin: 0, end: 1 } }),
      tensorCase("NaN", { dims: [4, 4], rawData: matrix(Number.NaN) }),
      tensorCase("infinity", { dims: [4, 4], rawData: matrix(Number.POSITIVE_INFINITY) }),
      tensorCase("minus infinity", { dims: [4, 4], rawData: matrix(Number.NEGATIVE_INFINITY) }),
      tensorCase("one NaN among numbers", { dims: [4, 4], rawData: floats(Number.NaN, ...Array<number>(15).fill(1)) }),
      graphCase("an initializer without a name", () => ({ initializer: [floatTensor("", [1], [1])] })),
      graphCase("a name for two initializers", () => {
        return { initializer: [...graph().initializer!, floatTensor("layer.weight", [1], [1])] };
      }),
      graphCase("a sparse initializer", () => {
        return {
          sparseInitializer: [{ values: floatTensor("s", [1], [1]), indices: floatTensor("i", [1], [9]), dims: [4] }],
        };
      }),
      graphCase("an integer beyond 2^53 as an attribute", () => {
        const attribute = [{ name: "axis", type: 2, i: 2 ** 60 }];
        return { node: [{ ...node("Softmax", ["x"], ["y"]), attribute }] };
      }),
    ],
  },
  {
    name: "external data",
    open: compile,
    codes: ["MRL0111", "MRL0114", "MRL0116", "MRL0117"],
    cases: [
      externalCase("in the folder", at(64), { valid: true }),
      externalCase("in a folder beneath", { location: "sub/weights.data" }, { valid: true }),
      externalCase("a link to a neighbour", { location: "link" }, { links: { link: "weights.data" }, valid: true }),
      externalCase("a link into the folder above", { location: "link" }, { links: { link: "../outside/secret" } }),
      externalCase("an absolute link", { location: "link" }, { links: { link: "OUTSIDE/secret" } }),
      externalCase("a link to a link that leads out", { location: "a" }, { links: { a: "b", b: "OUTSIDE/secret" } }),
      externalCase("a linked folder", { location: "out/secret" }, { links: { out: "OUTSIDE" } }),
      externalCase("a link to itself", { location: "loop" }, { links: { loop: "loop" } }),
      externalCase("a link to a device", { location: "zero" }, { links: { zero: "/dev/zero" } }),
      externalCase("..", { location: "../outside/secret" }),
      externalCase(".. further in", { location: "sub/../../outside/secret" }),
      externalCase(".. with backslashes", { location: "sub\\..\\..\\outside\\secret" }),
      externalCase("absolute", { location: "/etc/passwd" }),
      externalCase("a drive", { location: "C:\\secret" }),
      externalCase("a URL", { location: "file:///etc/passwd" }),
      externalCase("empty", { location: "" }),
      externalCase("no location", { offset: "0" }),
      externalCase("a NUL", { location: "weights.data\0.png" }),
      externalCase("a folder", { location: "sub" }),
      externalCase("missing", { location: "other.data" }),
      externalCase("a name of a megabyte", { location: "x".repeat(2 ** 20) }),
      externalCase("__proto__", { location: "__proto__" }),
      externalCase("an offset at the end", at(256)),
      externalCase("an offset that overlaps the end", at(200)),
      externalCase("an offset of 2^53", at(2 ** 53)),
      externalCase("an offset of 2^63", { location: "weights.data", offset: "9223372036854775808" }),
      externalCase("an offset of -1", { location: "weights.data", offset: "-1" }),
      externalCase("an offset that is no number", { location: "weights.data", offset: "1e3" }),
      externalCase("a length of 2^53", { location: "weights.data", length: "9007199254740992" }),
      externalCase("a length of 0", at(0, 0)),
      externalCase("more than the dimensions need", at(0, 128)),
      manyExternal("two tensors of one range", [at(0), at(0)], true),
      manyExternal("two tensors that overlap", [at(0), at(32)]),
      manyExternal(
        "forty tensors of one range",
        Array.from({ length: 40 }, () => at(0)),
      ),
      graphCase("external and inline", () => ({ initializer: [{ ...external(at(0)), rawData: matrix(1) }] })),
      graphCase("an external Constant outside", () => {
        const t = external({ location: "../outside/secret" });
        const constant = { ...node("Constant", [], ["c"]), attribute: [{ name: "value", type: 4, t }] };
        return { node: [constant, node("MatMul", ["x", "c"], ["y"])], output: [floatInfo("y", 1, 4)] };
      }),
      graphCase("the location twice", () => {
        const tensor = external(at(0));
        return {
          initializer: [{ ...tensor, externalData: [...tensor.externalData!, { key: "location", value: "../x" }] }],
        };
      }),
    ],
  },
];
