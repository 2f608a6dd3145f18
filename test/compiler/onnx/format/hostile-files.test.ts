import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { onnx as proto } from "onnx-proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeModel } from "../../../../compiler/onnx/format/decode-model.ts";
import { readTensor } from "../../../../compiler/onnx/format/read-tensor.ts";
import { readModel } from "../../../../compiler/onnx/normalize/read-model.ts";
import { models } from "../../../harness/fixtures.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node, smallModel } from "./build-model.ts";

const decode = (bytes: Uint8Array) => decodeModel(bytes, "hostile.onnx");
const decodeGraph = (graph: proto.IGraphProto, extra?: proto.IModelProto) => decode(modelBytes(graph, extra));
const tensor = (fields: proto.ITensorProto) => () =>
  decodeGraph({ name: "g", initializer: [{ name: "t", ...fields }] });

describe("files that are not models", () => {
  const tag = (number: number, wireType: number) => (number << 3) | wireType;
  it.each([
    ["empty", new Uint8Array(), "MRL0102"],
    ["gzip", gzipSync(smallModel()), "MRL0103"],
    ["a zip", Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0), "MRL0103"],
    ["a Git LFS pointer", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n"), "MRL0103"],
    ["200 000 start groups", new Uint8Array(200_000).fill(tag(1, 3)), "MRL0107"],
    ["an end group", Uint8Array.of(tag(1, 4)), "MRL0107"],
    ["text", new TextEncoder().encode("hello, this is not a model at all"), "MRL0107"],
    ["a wire type that onnx-proto would not notice", Uint8Array.of(tag(7, 0), 1), "MRL0105"],
    ["field number 0", Uint8Array.of(0, 0), "MRL0105"],
    ["a varint of eleven bytes", Uint8Array.of(tag(1, 0), ...new Array(10).fill(0xff), 1), "MRL0105"],
    ["a length beyond the end", Uint8Array.of(tag(7, 2), 0xff, 0xff, 0xff, 0xff, 0x0f), "MRL0105"],
    ["two graphs", Uint8Array.of(tag(1, 0), 8, tag(7, 2), 0, tag(7, 2), 0), "MRL0105"],
    ["no graph", Uint8Array.of(tag(1, 0), 8), "MRL0104"],
  ])("%s", (_, bytes, code) => {
    expect(codesOf(() => decode(bytes))).toEqual([code]);
  });

  it("a model truncated at any byte is refused or valid, and never crashes", () => {
    const bytes = smallModel();
    for (let length = 0; length < bytes.length; length++) codesOf(() => decode(bytes.subarray(0, length)));
    expect(codesOf(() => decode(bytes))).toEqual([]);
  });

  it("a model with any byte changed is refused or valid, and never crashes", () => {
    const bytes = smallModel();
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 0x7f, 0x80, 0xff, bytes[at]! ^ 1]) {
        const changed = bytes.slice();
        changed[at] = value;
        codesOf(() => decode(changed));
      }
    }
  });

  it("300 nested If", () => {
    let body: Uint8Array = new Uint8Array();
    const wrap = (number: number, inner: Uint8Array) => {
      const length: number[] = [];
      let rest = inner.length;
      for (; rest > 0x7f; rest = Math.floor(rest / 128)) length.push((rest & 0x7f) | 0x80);
      return Uint8Array.of((number << 3) | 2, ...length, rest, ...inner);
    };
    // graph.node.attribute.g
    for (let depth = 0; depth < 300; depth++) body = wrap(1, wrap(5, wrap(6, body)));
    expect(codesOf(() => decode(Uint8Array.of(8, 8, ...wrap(7, body))))).toEqual(["MRL0106"]);
  });
});

describe("a real model", () => {
  it("truncated at any byte, is refused or valid, and never crashes", () => {
    const bytes = readFileSync(join(models, "dev_lstm_ts17_static/model.onnx"));
    let refused = 0;
    for (let length = 0; length < bytes.length; length++) {
      refused += codesOf(() => decode(bytes.subarray(0, length))).length > 0 ? 1 : 0;
    }
    expect(refused).toBeGreaterThan(bytes.length / 2);
  });
});

describe("models that contradict themselves", () => {
  it.each<[string, string, () => unknown]>([
    [
      "dims overflow",
      "MRL0114",
      tensor({ dims: [2 ** 31, 2 ** 31, 2 ** 31], dataType: 1, rawData: new Uint8Array(4) }),
    ],
    ["negative dims", "MRL0114", tensor({ dims: [-1], dataType: 1, floatData: [1] })],
    ["less data than dims", "MRL0114", tensor({ dims: [3], dataType: 1, floatData: [1] })],
    ["data in two fields", "MRL0114", tensor({ dims: [1], dataType: 1, floatData: [1], rawData: new Uint8Array(4) })],
    ["an int8 of 300", "MRL0114", tensor({ dims: [1], dataType: 3, int32Data: [300] })],
    ["complex numbers", "MRL0109", tensor({ dims: [1], dataType: 14, rawData: new Uint8Array(8) })],
    ["float8 of too many bytes", "MRL0114", tensor({ dims: [1], dataType: 17, rawData: new Uint8Array(2) })],
    ["a type from the future", "MRL0109", tensor({ dims: [1], dataType: 99, rawData: new Uint8Array(1) })],
    ["IR version 99", "MRL0108", () => decodeGraph({ name: "g" }, { irVersion: 99 })],
    ["no operator set", "MRL0108", () => decodeGraph({ name: "g" }, { opsetImport: [] })],
    ["functions", "MRL0110", () => decodeGraph({ name: "g" }, { functions: [{ name: "f" }] })],
    [
      "an initializer twice",
      "MRL0111",
      () => decodeGraph({ name: "g", initializer: [floatTensor("w", [1], [1]), floatTensor("w", [1], [2])] }),
    ],
    [
      "an output twice",
      "MRL0111",
      () =>
        decodeGraph({
          name: "g",
          input: [floatInfo("x")],
          node: [node("Abs", ["x"], ["y"]), node("Neg", ["x"], ["y"])],
        }),
    ],
    ["an input from nowhere", "MRL0112", () => decodeGraph({ name: "g", node: [node("Abs", ["x"], ["y"])] })],
    ["an output from nowhere", "MRL0112", () => decodeGraph({ name: "g", output: [floatInfo("y")] })],
    [
      "a cycle",
      "MRL0113",
      () => decodeGraph({ name: "g", node: [node("Abs", ["b"], ["a"], "one"), node("Abs", ["a"], ["b"], "two")] }),
    ],
    [
      "a cycle through a nested graph",
      "MRL0113",
      () => {
        const g = { name: "b", node: [node("Neg", ["y"], ["r"])], output: [floatInfo("r")] };
        const attribute = [{ name: "then_branch", type: 5, g }];
        return decodeGraph({ name: "g", input: [floatInfo("c")], node: [{ ...node("If", ["c"], ["y"]), attribute }] });
      },
    ],
  ])("%s", (_, code, run) => {
    expect(codesOf(run)).toEqual([code]);
  });

  it("a chain of 50 000 nodes in reverse order", () => {
    const count = 50_000;
    const chain = Array.from({ length: count }, (_, index) => node("Abs", [`v${index}`], [`v${index + 1}`]));
    const { graph } = decodeGraph({ name: "g", input: [floatInfo("v0")], node: chain.reverse() });
    expect(graph.nodes[0]!.inputs).toEqual(["v0"]);
  });

  it("names with a meaning for JavaScript objects are ordinary names", () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
    const initializer = names.map((name, index) => floatTensor(name, [1], [index]));
    const output = [floatInfo("y", 1)];
    const sum = { ...node("Sum", names, ["y"]), attribute: [{ name: "__proto__", type: 2, i: 7 }] };
    const { graph } = decodeGraph({ name: "g", initializer, node: [sum], output });
    expect([...graph.initializers.keys()]).toEqual(names);
    expect(graph.nodes[0]!.attributes.get("__proto__")).toEqual({ kind: "int", value: 7 });
    expect(({} as Record<string, unknown>).kind).toBeUndefined();
  });

  it("all problems are reported at once", () => {
    const initializer = [
      { name: "a", dims: [1], dataType: 8, stringData: [new Uint8Array()] },
      { name: "b", dims: [2], dataType: 1, floatData: [1] },
    ];
    expect(codesOf(() => decodeGraph({ name: "g", initializer }))).toEqual(["MRL0109", "MRL0114"]);
  });
});

describe("external data", () => {
  let folder: string;
  let outside: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "marillc-external-"));
    outside = mkdtempSync(join(tmpdir(), "marillc-outside-"));
    writeFileSync(join(outside, "secret"), new Uint8Array(8));
    writeFileSync(join(folder, "weights.data"), new Uint8Array(Float32Array.of(9, 9, 1, 2).buffer));
    mkdirSync(join(folder, "sub"));
    symlinkSync(join(outside, "secret"), join(folder, "linked"));
    symlinkSync(outside, join(folder, "linked-folder"));
    symlinkSync("weights.data", join(folder, "inner-link"));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
    rmSync(outside, { recursive: true });
  });

  const read = (location: string, offset = "8", length = "8", name = "model.onnx", at = folder) => {
    const externalData = Object.entries({ location, offset, length }).map(([key, value]) => ({ key, value }));
    const file = join(at, name);
    const graph = { name: "g", initializer: [{ name: "t", dims: [2], dataType: 1, dataLocation: 1, externalData }] };
    writeFileSync(file, modelBytes(graph));
    const model = readModel(file);
    return [...readTensor(model, model.graph.initializers.get("t")!).data];
  };

  it("is read by offset and length below the model's folder", () => {
    expect(read("weights.data")).toEqual([1, 2]);
    expect(read("inner-link")).toEqual([1, 2]);
  });

  it("follows the links of a Hugging Face cache, where model and data lie side by side elsewhere", () => {
    const cache = mkdtempSync(join(tmpdir(), "marillc-cache-"));
    for (const name of ["blobs", "snapshot"]) mkdirSync(join(cache, name));
    writeFileSync(join(cache, "blobs/data"), new Uint8Array(Float32Array.of(3, 4).buffer));
    writeFileSync(join(cache, "blobs/model"), "");
    symlinkSync("../blobs/data", join(cache, "snapshot/model.onnx_data"));
    symlinkSync("../blobs/model", join(cache, "snapshot/model.onnx"));
    expect(read("model.onnx_data", "0", "8", "model.onnx", join(cache, "snapshot"))).toEqual([3, 4]);
    rmSync(cache, { recursive: true });
  });

  it.each([
    ["/etc/passwd", "MRL0116"],
    ["../secret", "MRL0116"],
    ["sub/../../secret", "MRL0116"],
    ["sub\\..\\..\\secret", "MRL0116"],
    ["C:\\secret", "MRL0116"],
    ["", "MRL0116"],
    ["a\0b", "MRL0116"],
    ["linked", "MRL0116"],
    ["linked-folder/secret", "MRL0116"],
    ["sub", "MRL0117"],
    ["missing.data", "MRL0117"],
  ])("%j is refused", (location, code) => {
    expect(codesOf(() => read(location, "0"))).toEqual([code]);
  });

  it("is read beyond 2 GB, from a file that is too large to read whole", () => {
    const file = join(folder, "large.data");
    const offset = 3 * 2 ** 30;
    const fd = openSync(file, "w");
    writeSync(fd, new Uint8Array(Float32Array.of(7, 8).buffer), 0, 8, offset); // the rest is a hole: no disk is used
    closeSync(fd);
    expect(read("large.data", String(offset))).toEqual([7, 8]);
  });

  it("refuses pipes without waiting for a writer", () => {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    expect(codesOf(() => read("pipe", "0"))).toEqual(["MRL0117"]);
  });

  it("refuses ranges beyond the file and lengths that disagree with the dimensions", () => {
    expect(codesOf(() => read("weights.data", "12"))).toEqual(["MRL0117"]);
    expect(codesOf(() => read("weights.data", "-1"))).toEqual(["MRL0117"]);
    expect(codesOf(() => read("weights.data", "0", "4"))).toEqual(["MRL0114"]);
  });
});
