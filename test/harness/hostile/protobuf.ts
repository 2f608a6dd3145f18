import { gzipSync } from "node:zlib";
import { node } from "../../compiler/onnx/format/build-model.ts";
import { compile, type HostileClass } from "./cases.ts";
import { fieldStarts, model, onnxCase, text, withAttributes, wrapped } from "./models.ts";

const tag = (number: number, wireType: number): number => (number << 3) | wireType;
const version = Uint8Array.of(tag(1, 0), 8);
const joined = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
const inGraph = (bytes: Uint8Array): Uint8Array => joined(version, wrapped(7, bytes));

/** A model with many kinds of fields. */
const several = (): Uint8Array =>
  model({
    node: [
      node("MatMul", ["x", "layer.weight"], ["h"], "product"),
      withAttributes(node("Softmax", ["h"], ["s"], "softmax"), { axis: -1 }),
      withAttributes(node("ReduceMean", ["s"], ["m"], "mean"), { axes: [1], keepdims: 1 }),
      node("Sub", ["s", "m"], ["y"], "difference"),
    ],
  });

function nested(depth: number): Uint8Array {
  let body: Uint8Array = new Uint8Array();
  // graph.node.attribute.g
  for (let level = 0; level < depth; level++) body = wrapped(1, wrapped(5, wrapped(6, body)));
  return inGraph(body);
}

export const protobufClasses: readonly HostileClass[] = [
  {
    name: "ONNX cut off at each field",
    open: compile,
    codes: ["MRL0102", "MRL0104", "MRL0105", "MRL0108", "MRL0112"],
    cases: fieldStarts(several()).map((start) => onnxCase(`at byte ${start}`, () => several().subarray(0, start))),
  },
  {
    name: "other kinds of files",
    open: compile,
    codes: ["MRL0102", "MRL0103", "MRL0104", "MRL0105", "MRL0107"],
    cases: [
      onnxCase("gzip", () => gzipSync(model())),
      onnxCase("zip", () => Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0)),
      onnxCase("zstd", () => Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0)),
      onnxCase("bzip2", () => text("BZh91AY&SY")),
      onnxCase("pickle", () => Uint8Array.of(0x80, 2, 0x7d)),
      onnxCase("a Git LFS pointer", () => text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")),
      onnxCase("HTML", () => text("<!DOCTYPE html><title>404</title>")),
      onnxCase("JSON", () => text('{"ir_version": 8}')),
      onnxCase("zeros", () => new Uint8Array(1000)),
      onnxCase("ones", () => new Uint8Array(1000).fill(255)),
    ],
  },
  {
    name: "tags and lengths",
    open: compile,
    codes: ["MRL0104", "MRL0105", "MRL0106", "MRL0107", "MRL0108"],
    cases: [
      onnxCase("200,000 start groups", () => new Uint8Array(200_000).fill(tag(1, 3))),
      onnxCase("an end group", () => Uint8Array.of(tag(1, 4))),
      onnxCase("a wire type that does not exist", () => Uint8Array.of(tag(7, 6), 1)),
      onnxCase("the graph as a number", () => Uint8Array.of(tag(1, 0), 8, tag(7, 0), 1)),
      onnxCase("field number 0", () => Uint8Array.of(0, 0)),
      onnxCase("a number of eleven bytes", () => Uint8Array.of(tag(1, 0), ...new Array(10).fill(0xff), 1)),
      onnxCase("a number of 70 bits", () => Uint8Array.of(tag(1, 0), ...new Array(9).fill(0xff), 0x7f)),
      onnxCase("a length of 2^63", () => Uint8Array.of(tag(7, 2), ...new Array(8).fill(0xff), 0x7f)),
      onnxCase("a length beyond the end", () => Uint8Array.of(tag(7, 2), 0xff, 0xff, 0xff, 0xff, 0x0f)),
      onnxCase("a node longer than its graph", () => inGraph(Uint8Array.of(tag(1, 2), 100, 0))),
      onnxCase("two graphs", () => joined(version, wrapped(7, new Uint8Array()), wrapped(7, new Uint8Array()))),
      onnxCase("a name that is not UTF-8", () => inGraph(wrapped(2, Uint8Array.of(0xff, 0xfe)))),
      onnxCase("an operator that is not UTF-8", () => inGraph(wrapped(1, wrapped(4, Uint8Array.of(0xc0, 0x80))))),
      onnxCase("a packed list that is cut off", () => inGraph(wrapped(5, wrapped(1, Uint8Array.of(0x80))))),
      onnxCase("floats of three bytes", () => inGraph(wrapped(5, wrapped(4, new Uint8Array(3))))),
      onnxCase("300 graphs in one another", () => nested(300)),
      onnxCase("100,000 graphs in one another", () => {
        // Lengths that all extend to the end: a bomb for a recursive reader.
        return inGraph(Uint8Array.from({ length: 300_000 }, (_, at) => [tag(1, 2), 0xff, 0x7f][at % 3]!));
      }),
      onnxCase("3 million empty nodes", () => {
        return inGraph(Uint8Array.from({ length: 6_000_000 }, (_, at) => (at % 2 === 0 ? tag(1, 2) : 0)));
      }),
      onnxCase("9 million dimensions", () => inGraph(wrapped(5, wrapped(1, new Uint8Array(9_000_000).fill(1))))),
      onnxCase("9 million fields that nobody knows", () => {
        return joined(version, new Uint8Array(18_000_000).fill(tag(15, 0)));
      }),
    ],
  },
  {
    name: "versions and functions",
    open: compile,
    codes: ["MRL0104", "MRL0108", "MRL0110", "MRL0111"],
    cases: [
      onnxCase("IR version 99", () => model({}, { irVersion: 99 })),
      onnxCase("IR version 0", () => model({}, { irVersion: 0 })),
      onnxCase("IR version -1", () => model({}, { irVersion: -1 })),
      onnxCase("no operator set", () => model({}, { opsetImport: [] })),
      onnxCase("an operator set of version 2^40", () => model({}, { opsetImport: [{ domain: "", version: 2 ** 40 }] })),
      onnxCase("an operator set of version -1", () => model({}, { opsetImport: [{ domain: "", version: -1 }] })),
      onnxCase("an operator set in two versions", () => {
        return model({}, { opsetImport: ["", "ai.onnx"].map((domain, at) => ({ domain, version: 17 + at })) });
      }),
      onnxCase("a function that calls itself", () => {
        const call = { opType: "f", domain: "own", input: ["x"], output: ["y"] };
        return model({ node: [call] }, { functions: [{ name: "f", domain: "own", node: [call] }] });
      }),
      onnxCase("two functions that call each other", () => {
        const call = (opType: string) => ({ opType, domain: "own", input: ["x"], output: ["y"] });
        const functions = [
          { name: "f", domain: "own", node: [call("g")] },
          { name: "g", domain: "own", node: [call("f")] },
        ];
        return model({ node: [call("f")] }, { functions });
      }),
      onnxCase("30 functions of which each calls the next twice", () => {
        const call = (level: number) => ({ opType: `f${level}`, domain: "own", input: ["x"], output: ["y"] });
        const functions = Array.from({ length: 30 }, (_, level) => {
          return { name: `f${level}`, domain: "own", node: [call(level + 1), call(level + 1)] };
        });
        return model({ node: [call(0)] }, { functions });
      }),
    ],
  },
];
