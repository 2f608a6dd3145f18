import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { familyReport } from "../../../scripts/tables/families.ts";

const kept = fileURLToPath(new URL("../../../fixtures/families/bert-ts14-eager-static", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "marillc-families-"));
afterAll(() => rmSync(dir, { recursive: true }));

it("reports each kind separately: opsets, what was run on shares, and its cost", async () => {
  for (const name of ["bert-ts14-eager-static", "lstm-ts17-plain", "lstm-ts18-plain-dynamic", "notes"]) {
    symlinkSync(kept, join(dir, name));
  }
  const { exports, passed, texts } = await familyReport(dir, { shares: /plain$/ });
  expect([exports, passed.length]).toEqual([3, 3]);
  expect([...texts.keys()]).toEqual(["recurrent layers", "transformers"]);
  const [layers, families] = [...texts.values()].map((text) => text.split("\n"));
  expect(families![0]).toBe("1 of 1 exports pass on real numbers, 0 of them on shares too.");
  expect(families!.at(-1)).toMatch(/^\| bert \| TorchScript \| 14r \|( {2}\|){7} \S+ of \S+ \| {2}\|$/);
  expect(layers![0]).toBe("2 of 2 exports pass on real numbers, 1 of them on shares too.");
  const row = layers!.find((line) => line.startsWith("| lstm | TorchScript | 17 |"));
  expect(row!.split(" | ").slice(11, 12)).toEqual(["18r"]);
  expect(layers!.at(-1)).toMatch(
    /^\| lstm-ts17-plain \| 12 \| \S+ of \S+ \| \d+ \|( [\d.]+ [kM]B \|){3}( \S+ m?s \|){3}$/,
  );
});
