import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeFolder, requireFolder } from "../../../compiler/tensors/files/make-folder.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-folder-"));
afterAll(() => rmSync(dir, { recursive: true }));

test("it makes what is missing, with its mode, and takes what is there", () => {
  makeFolder(join(dir, "a", "b", "c"), 0o700);
  expect(statSync(join(dir, "a", "b", "c")).mode & 0o777).toBe(0o700);
  makeFolder(join(dir, "a", "b"));
  symlinkSync(join(dir, "a"), join(dir, "link"));
  makeFolder(join(dir, "link"));
  makeFolder(join(dir, "link", "d"));
  expect(readdirSync(join(dir, "a"))).toEqual(["b", "d"]);
});

test("a file in its way is named", () => {
  writeFileSync(join(dir, "file"), "");
  expect(() => makeFolder(join(dir, "file"))).toThrow(join(dir, "file"));
  expect(() => makeFolder(join(dir, "file", "x"))).toThrow(/ENOTDIR/);
});

test.skipIf(!existsSync("/proc/self"))("a file system without new folders refuses at once", () => {
  for (const path of ["/proc/x", "/proc/x/y", "/proc/self/x/y"]) {
    expect(() => makeFolder(path)).toThrow(/ENOENT|EACCES|EPERM/);
    expect(() => requireFolder(path)).toThrow(/ENOENT|EACCES|EPERM/);
  }
});

test("a folder that can be made is not made yet, and nothing is left", () => {
  requireFolder(join(dir, "new", "deep"));
  requireFolder(join(dir, "a"));
  expect(readdirSync(dir)).toEqual(["a", "file", "link"]);
});
