import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readTensor } from "../../../compiler/onnx/format/read-tensor.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { openSafetensors, readSafetensor } from "../../../compiler/tensors/safetensors.ts";
import { model, withTensor } from "../../harness/hostile/models.ts";

const temporary = mkdtempSync(join(tmpdir(), "marillc-large-"));
afterAll(() => rmSync(temporary, { recursive: true }));

/** Above what Node reads at once (2 GiB) and above 32 bits. */
const hole = 5 * 2 ** 30;
const numbers = Float32Array.of(1, -2, 3, 0.5);
const bytes = new Uint8Array(numbers.buffer);

/** A sparse file: it takes no disk space where the file system supports that. */
function sparse(name: string, head: Uint8Array, tail: Uint8Array): string | undefined {
  const file = join(temporary, name);
  const fd = openSync(file, "w");
  try {
    writeSync(fd, head, 0, head.length, 0);
    ftruncateSync(fd, head.length + hole);
    writeSync(fd, tail, 0, tail.length, head.length + hole);
    return file;
  } catch (error) {
    console.warn(`skipped: this disk takes no file of 5 GiB with a hole (${(error as NodeJS.ErrnoException).code})`);
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Memory that reading took beyond what was held before, in bytes. */
function grown(read: () => void): number {
  const before = process.memoryUsage.rss();
  read();
  return process.memoryUsage.rss() - before;
}
const little = 200 * 2 ** 20;

describe("files above 2 GB are read by range", () => {
  it("a safetensors file of 5 GiB", ({ skip }) => {
    const header = JSON.stringify({
      huge: { dtype: "F32", shape: [hole / 4], data_offsets: [0, hole] },
      small: { dtype: "F32", shape: [2, 2], data_offsets: [hole, hole + 16] },
    });
    const text = new TextEncoder().encode(header);
    const head = new Uint8Array(8 + text.length);
    new DataView(head.buffer).setBigUint64(0, BigInt(text.length), true);
    head.set(text, 8);
    const file = sparse("model.safetensors", head, bytes);
    if (file === undefined) return skip();
    const taken = grown(() => {
      const store = openSafetensors(file);
      expect([...readSafetensor(store, "small").data]).toEqual([...numbers]);
      // A tensor that no buffer holds is refused before allocation.
      expect(() => readSafetensor(store, "huge")).toThrow("MRL0131");
    });
    expect(taken).toBeLessThan(little);
  });

  it("external data of 5 GiB", ({ skip }) => {
    const data = sparse("weights.data", new Uint8Array(0), bytes);
    if (data === undefined) return skip();
    const entries = { location: "weights.data", offset: String(hole), length: "16" };
    const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
    const file = join(temporary, "model.onnx");
    writeFileSync(file, model(withTensor({ dims: [2, 2], dataType: 1, dataLocation: 1, externalData })));
    const taken = grown(() => {
      const read = readModel(file);
      expect([...readTensor(read, read.graph.initializers.get("layer.weight")!).data]).toEqual([...numbers]);
    });
    expect(taken).toBeLessThan(little);
  });
});
