import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { requireWritable, writeWholeFile } from "../../../compiler/tensors/files/write-file.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-write-"));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (name: string): string => join(dir, name);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const diagnostics = (work: () => void) => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(DiagnosticError);
    return (error as DiagnosticError).diagnostics;
  }
  return [];
};

test("chunks become one file, and the link to a file stays a link", () => {
  writeFileSync(at("file"), "old");
  symlinkSync(at("file"), at("link"));
  writeWholeFile(at("link"), bytes("ne"), () => bytes("w"));
  expect(readFileSync(at("file"), "utf8")).toBe("new");
  expect(readFileSync(at("link"), "utf8")).toBe("new");
});

test("only the user of the machine may read it, whatever was there before", () => {
  writeFileSync(at("open"), "old", { mode: 0o644 });
  for (const name of ["open", "fresh"]) {
    writeWholeFile(at(name), bytes("an answer"));
    expect(statSync(at(name)).mode & 0o777).toBe(0o600);
  }
});

test("a failure leaves the old file, and nothing beside it", () => {
  writeFileSync(at("kept"), "old");
  const failing = () => {
    throw new RangeError("no more");
  };
  expect(() => writeWholeFile(at("kept"), bytes("half"), failing)).toThrow("no more");
  expect(readFileSync(at("kept"), "utf8")).toBe("old");
  expect(readdirSync(dir).filter((name) => name.includes(".new-"))).toEqual([]);
});

test("what cannot be written has a code and its path", () => {
  for (const path of [at("none/file"), dir]) {
    for (const work of [() => writeWholeFile(path, bytes("x")), () => requireWritable(path)]) {
      expect(diagnostics(work)).toMatchObject([{ code: "MRL0804", at: path }]);
    }
  }
  expect(diagnostics(() => requireWritable(at("unwritten")))).toEqual([]);
  expect(readdirSync(dir).filter((name) => name.includes("unwritten") || name.includes(".try-"))).toEqual([]);
});

test.skipIf(!existsSync("/dev/full"))("a full device is named, and stays a device", () => {
  const [found] = diagnostics(() => writeWholeFile("/dev/full", bytes("x")));
  expect(found).toMatchObject({ code: "MRL0804", message: "the file cannot be written: ENOSPC", at: "/dev/full" });
});
