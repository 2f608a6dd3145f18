import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { UsageError } from "../../../compiler/api/errors.ts";
import { prepareServedOutput } from "../../../compiler/api/server-outputs.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-served-"));
afterAll(() => rmSync(dir, { recursive: true }));

test("a server writes to a folder or to a file of the format that it writes, and to no other", () => {
  for (const fine of [dir, join(dir, "new"), join(dir, "latest.npz")]) prepareServedOutput(fine);
  writeFileSync(join(dir, "notes.txt"), "mine");
  for (const other of [join(dir, "notes.txt"), "/dev/null"]) {
    expect(() => prepareServedOutput(other)).toThrow(UsageError);
    expect(() => prepareServedOutput(other)).toThrow(`a folder, or a file that ends in .npz, found a file: ${other}`);
  }
});
