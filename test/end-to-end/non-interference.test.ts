import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { resolveModelOptions } from "../../compiler/api/model-options.ts";
import { compileModel } from "../../compiler/compile/compile.ts";
import { encodeElements } from "../../compiler/tensors/element-codecs.ts";
import { openSafetensors, readSafetensor, writeSafetensors } from "../../compiler/tensors/safetensors.ts";
import { dateOptions } from "../harness/shared-builds.ts";

const fixture = join(import.meta.dirname, "../../fixtures/date-llama");
const work = mkdtempSync(join(tmpdir(), "marillc-interference-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** The adapter with other numbers in it: same names, same shapes. */
function changedAdapter(name: string, change: (x: number, index: number, all: Float64Array) => number): string {
  const folder = join(work, name, "adapter");
  cpSync(join(fixture, "adapter"), folder, { recursive: true });
  const store = openSafetensors(join(fixture, "adapter/adapter_model.safetensors"));
  const tensors = [...store.entries.keys()].map((key) => {
    const { shape, data } = readSafetensor(store, key);
    return { name: key, dtype: "float32" as const, shape, bytes: encodeElements("float32", data.map(change)) };
  });
  writeFileSync(join(folder, "adapter_model.safetensors"), writeSafetensors(tensors, new Map([["format", "pt"]])));
  return folder;
}

const compiled = (adapter: string) =>
  compileModel(resolveModelOptions({ ...dateOptions, adapter, quality: "balanced" }));

test("the same input gives the same bytes; other private weights change the server's weight file and nothing else", () => {
  const original = compiled(join(fixture, "adapter"));
  const secret = "server/weights.safetensors";
  const variants: readonly (readonly [string, readonly string[]])[] = [
    [join(fixture, "adapter"), []],
    [changedAdapter("reversed", (_, index, all) => -all[all.length - 1 - index]!), [secret]],
  ];
  for (const [adapter, expected] of variants) {
    const other = compiled(adapter);
    expect([...other.files.keys()]).toEqual([...original.files.keys()]);
    const changed = [...original.files].filter(([path, bytes]) => Buffer.compare(bytes, other.files.get(path)!) !== 0);
    expect(changed.map(([path]) => path)).toEqual(expected);
    // Equal programs send equal messages: number, order and lengths follow from the plan alone.
    expect(other.manifest.predicted).toEqual(original.manifest.predicted);
    expect(other.files.get(secret)!.length).toBe(original.files.get(secret)!.length);
  }
});
