import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  openSafetensors,
  readSafetensor,
  readSafetensorBytes,
  type SafetensorsTensor,
  writeSafetensors,
} from "../../../compiler/tensors/safetensors.ts";
import { parseJson } from "../../../compiler/tensors/strict-json.ts";
import { codesOf } from "../onnx/format/build-model.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "marillc-safetensors-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const bytesOf = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const stored: readonly SafetensorsTensor[] = [
  { name: "w", dtype: "float32", shape: [2, 2], bytes: bytesOf(Float32Array.of(1, -2, 0.5, 3)) },
  { name: "__proto__", dtype: "int8", shape: [3], bytes: bytesOf(Int8Array.of(-128, 0, 127)) },
  { name: "7", dtype: "int16", shape: [1], bytes: bytesOf(Int16Array.of(-300)) },
  { name: "scalar", dtype: "int64", shape: [], bytes: bytesOf(BigInt64Array.of(-5n)) },
  { name: "none", dtype: "float16", shape: [0, 4], bytes: new Uint8Array() },
  { name: "half", dtype: "bfloat16", shape: [2], bytes: bytesOf(Uint16Array.of(0x3f80, 0xc040)) },
];

function save(name: string, bytes: Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return file;
}

function withHeader(header: string, data: number): Uint8Array {
  const text = new TextEncoder().encode(header);
  const out = new Uint8Array(8 + text.length + data);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  return out;
}

describe("safetensors", () => {
  it("are read back as written, and the same tensors give the same bytes", () => {
    const metadata = new Map([["format", "pt"]]);
    const bytes = writeSafetensors(stored, metadata);
    expect(writeSafetensors(stored, metadata)).toEqual(bytes);
    const store = openSafetensors(save("all.safetensors", bytes));
    expect([...store.entries.keys()]).toEqual(stored.map((tensor) => tensor.name));
    expect(store.metadata).toEqual(metadata);
    for (const { name, bytes: expected } of stored) expect(readSafetensorBytes(store, name)).toEqual(expected);
    expect([...readSafetensor(store, "__proto__").data]).toEqual([-128, 0, 127]);
    expect([...readSafetensor(store, "half").data]).toEqual([1, -3]);
    expect(readSafetensor(store, "scalar")).toEqual({ shape: [], data: Float64Array.of(-5) });
    expect(codesOf(() => readSafetensor(store, "missing"))).toEqual(["MRL0134"]);
  });

  it("open by index", () => {
    save("a-1.safetensors", writeSafetensors(stored.slice(0, 1)));
    save("a-2.safetensors", writeSafetensors(stored.slice(1, 3)));
    const index = (map: Record<string, string>) =>
      save("model.safetensors.index.json", new TextEncoder().encode(JSON.stringify({ weight_map: map })));
    const map = { w: "a-1.safetensors", ["__proto__"]: "a-2.safetensors", "7": "a-2.safetensors" };
    index(map);
    const store = openSafetensors(folder);
    expect([...store.entries.keys()].sort()).toEqual(["7", "__proto__", "w"]);
    expect([...readSafetensor(store, "7").data]).toEqual([-300]);
    index({ ...map, more: "a-1.safetensors" });
    expect(codesOf(() => openSafetensors(folder))).toEqual(["MRL0133"]);
    index({ w: "../a-1.safetensors" });
    expect(codesOf(() => openSafetensors(folder))).toEqual(["MRL0133"]);
    index({ "7": "a-2.safetensors" });
    expect(codesOf(() => openSafetensors(folder))).toEqual(["MRL0133"]);
  });

  const entry = (begin: number, end: number) => `{"dtype":"F32","shape":[1],"data_offsets":[${begin},${end}]}`;
  it.each([
    ["an empty file", new Uint8Array(), "MRL0130"],
    ["a header beyond the file", Uint8Array.of(255, 255, 255, 0, 0, 0, 0, 0), "MRL0130"],
    ["a header of 2^64 - 1", new Uint8Array(16).fill(255), "MRL0130"],
    ["no JSON", withHeader("{", 0), "MRL0130"],
    ["a key twice", withHeader(`{"a":${entry(0, 4)},"a":${entry(0, 4)}}`, 4), "MRL0130"],
    ["no object", withHeader("[]", 0), "MRL0130"],
    ["a hole", withHeader(`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12), "MRL0131"],
    ["an overlap", withHeader(`{"a":${entry(0, 4)},"b":${entry(0, 4)}}`, 4), "MRL0131"],
    ["bytes at the end", withHeader(`{"a":${entry(0, 4)}}`, 5), "MRL0131"],
    ["a tensor beyond the end", withHeader(`{"a":${entry(0, 4)}}`, 3), "MRL0131"],
    ["a range that the shape does not fill", withHeader(`{"a":${entry(0, 8)}}`, 8), "MRL0131"],
    ["a negative offset", withHeader(`{"a":${entry(-4, 0)}}`, 0), "MRL0130"],
    ["an unknown type", withHeader('{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}', 1), "MRL0132"],
  ])("refuse %s", (_, bytes, code) => {
    const file = save("bad.safetensors", bytes);
    expect(codesOf(() => openSafetensors(file))).toEqual([code]);
  });

  it("are refused or read when truncated anywhere, and never crash", () => {
    const bytes = writeSafetensors(stored);
    for (let length = 0; length < bytes.length; length++) {
      const file = save("cut.safetensors", bytes.subarray(0, length));
      expect(codesOf(() => openSafetensors(file))).toHaveLength(1);
    }
  });

  it("are refused in folders without weights, and when missing", () => {
    expect(codesOf(() => openSafetensors(join(folder, "nothing")))).toEqual(["MRL0101"]);
    expect(codesOf(() => openSafetensors(mkdtempSync(join(folder, "empty-"))))).toEqual(["MRL0101"]);
  });
});

describe("parseJson", () => {
  it.each([
    '{"a":[1,-2.5e3,true,false,null,"\\u00e9\\"\\\\"],"b":{}}',
    " [ ] ",
    "0",
    '"x"',
  ])("reads %s as JSON.parse does", (text) => {
    const plain = (value: unknown): unknown =>
      value instanceof Map ? Object.fromEntries([...value].map(([key, inner]) => [key, plain(inner)])) : value;
    expect(plain(parseJson(text, "x.json", "MRL0130"))).toEqual(JSON.parse(text));
  });

  it.each([
    "",
    "{",
    "[1,]",
    '{"a":1,}',
    "01",
    "1 2",
    '"\n"',
    '"\\',
    "nul",
    "+1",
    "[".repeat(1000),
    '{"a":1,"a":2}',
  ])("refuses %j", (text) => {
    expect(codesOf(() => parseJson(text, "x.json", "MRL0130"))).toEqual(["MRL0130"]);
  });

  it("reads long strings without running out of stack", () => {
    const text = JSON.stringify("\\a".repeat(2_000_000));
    expect(parseJson(text, "x.json", "MRL0130")).toBe(JSON.parse(text));
  });
});
