import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { presetTable } from "../../compiler/report/presets.ts";

const page = new URL("../../docs/presets.md", import.meta.url);
const [begin, end] = ["<!-- npm run presets -->\n", "\n<!-- end -->"];

test("docs/presets.md shows the table that is counted", () => {
  const text = readFileSync(page, "utf8");
  const [before, rest] = text.split(begin) as [string, string];
  const [shown, after] = rest.split(end) as [string, string];
  const table = presetTable();
  // BLESS=1 writes the table anew.
  if (process.env.BLESS) writeFileSync(page, before + begin + table + end + after);
  else expect(shown, "BLESS=1 npx vitest run test/docs/presets writes it anew").toBe(table);
});
