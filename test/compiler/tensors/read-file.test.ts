import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readFileRange } from "../../../compiler/tensors/files/read-file.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-read-"));
afterAll(() => rmSync(dir, { recursive: true }));

test("a path that was checked must not have become a link since", () => {
  const [file, link] = [join(dir, "file"), join(dir, "link")];
  writeFileSync(file, "secret");
  symlinkSync(file, link);
  const read = (links: "follow" | "refuse") => readFileRange(link, 0, 6, { at: link, code: "MRL0110" }, links);
  expect(new TextDecoder().decode(read("follow"))).toBe("secret");
  expect(() => read("refuse")).toThrow(/MRL0110: the file cannot be opened/);
});
