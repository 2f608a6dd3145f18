import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openSafetensors, readSafetensor, writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { codesOf } from "../onnx/format/build-model.ts";

const temporary = mkdtempSync(join(tmpdir(), "marillc-links-"));
afterAll(() => rmSync(temporary, { recursive: true }));

/** A Hugging Face cache: every file of a snapshot is a link into `blobs`. */
const cache = join(temporary, "models--a--b");
const snapshot = join(cache, "snapshots", "0123abc");
for (const each of [join(cache, "blobs"), snapshot]) mkdirSync(each, { recursive: true });
const tensor = { name: "w", dtype: "float32", shape: [1], bytes: new Uint8Array(Float32Array.of(7).buffer) } as const;
const weights = writeSafetensors([tensor]);

describe("links of a folder of weights", () => {
  it("are followed within a Hugging Face cache", () => {
    writeFileSync(join(cache, "blobs", "1"), weights);
    writeFileSync(join(cache, "blobs", "2"), JSON.stringify({ weight_map: { w: "a.safetensors" } }));
    symlinkSync("../../blobs/1", join(snapshot, "a.safetensors"));
    symlinkSync("../../blobs/2", join(snapshot, "model.safetensors.index.json"));
    expect([...readSafetensor(openSafetensors(snapshot), "w").data]).toEqual([7]);
  });

  it("are refused when they leave it, and a file given by path may lie anywhere", () => {
    const folder = join(temporary, "model");
    mkdirSync(folder);
    writeFileSync(join(temporary, "elsewhere.safetensors"), weights);
    symlinkSync("../elsewhere.safetensors", join(folder, "model.safetensors"));
    expect(codesOf(() => openSafetensors(folder))).toEqual(["MRL0135"]);
    expect([...readSafetensor(openSafetensors(join(folder, "model.safetensors")), "w").data]).toEqual([7]);
  });
});
