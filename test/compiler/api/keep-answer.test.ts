import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { UnsavedError } from "../../../compiler/api/errors.ts";
import { keepAnswer } from "../../../compiler/api/keep-answer.ts";
import { writeShares } from "../../../compiler/api/shares.ts";
import type { Manifest } from "../../../compiler/build/manifest.ts";
import { readResidue } from "../../../compiler/inputs/residue-file.ts";
import type { RunResult } from "../../../compiler/run/run-result.ts";
import type { Diagnostic } from "../../../ir/diagnostic.ts";
import { intTensor } from "../../../runtime/ring/tensor.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-keep-"));
afterAll(() => rmSync(dir, { recursive: true }));
const result = { schema: 1, outputs: {}, queries: 1 } as unknown as RunResult;
const full = (): never => {
  throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC", syscall: "write" });
};
const unsaved = (work: () => unknown): UnsavedError => {
  try {
    work();
  } catch (error) {
    return error as UnsavedError;
  }
  throw new Error("nothing was thrown");
};

test("an answer that cannot be written goes with the error, and the other files are written", () => {
  const error = unsaved(() => keepAnswer(result, full, () => ({ trusted: true })));
  expect(error).toBeInstanceOf(UnsavedError);
  expect(error.diagnostics.map(({ code }) => code)).toEqual(["MRL0804"]);
  expect(error.result).toEqual({ ...result, trusted: true });
  expect(keepAnswer(result, () => ({ trusted: true }))).toEqual({ ...result, trusted: true });
});

test("what is not about files stays as it is", () => {
  const defect = new TypeError("x is not y");
  expect(() =>
    keepAnswer(result, () => {
      throw defect;
    }),
  ).toThrow(defect);
});

test("a share whose folder is gone lies in a temporary folder of its owner, and is named", () => {
  const shared = { value: "h", tensor: "h", shape: [2], width: 16, scale: 4, range: [-1, 1] };
  const manifest = { name: "m", programHash: "0".repeat(64), sharedOutputs: [shared] } as unknown as Manifest;
  const folder = join(dir, "taken");
  writeFileSync(folder, "");
  const residues = new Map([["h", intTensor([2], Float64Array.of(3, -4))]]);
  const found: Diagnostic[] = [];
  const made = { session: "0".repeat(32), query: 0 };
  const { h } = writeShares(manifest, made, [{ party: "client", folder, residues }], (each) => found.push(each));
  const file = h!.files.client!;
  expect(found).toMatchObject([{ code: "MRL0844", at: file }]);
  expect([...readResidue(file).residue]).toEqual([3, -4]);
  expect([file, dirname(file)].map((path) => statSync(path).mode & 0o077)).toEqual([0, 0]);
  expect(readdirSync(dirname(file))).toHaveLength(1);
  rmSync(dirname(file), { recursive: true });
});
