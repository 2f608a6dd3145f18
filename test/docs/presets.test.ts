import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { presetTable, publishedTable } from "../../scripts/tables/presets.ts";
import { publishedCosts } from "../../scripts/tables/published-costs.ts";

const page = new URL("../../docs/presets.md", import.meta.url);
const tables = [
  ["<!-- npm run presets -->\n", presetTable],
  ["<!-- npm run presets: published -->\n", publishedTable],
] as const;
const end = "<!-- end -->";

test.each(tables)("docs/presets.md shows the table behind %s", (begin, tableOf) => {
  const text = readFileSync(page, "utf8");
  const [before, rest] = text.split(begin) as [string, string];
  const shown = rest.slice(0, rest.indexOf(end));
  const table = `${tableOf()}\n`;
  // BLESS=1 writes the table anew.
  if (process.env.BLESS) writeFileSync(page, before + begin + table + rest.slice(shown.length));
  else expect(shown, "BLESS=1 npx vitest run test/docs/presets writes it anew").toBe(table);
});

/** Bits of an element as the catalogue has them (protocols.md 4 and 6), and how far off a formula may be. */
test.each([
  ["relu", "bumblebee", 820, 0.01],
  ["gelu", "bumblebee", 3000, 0.03],
  ["softmax", "bumblebee", 5000, 0.15],
  ["exp", "sirnn", 18_000, 0.01],
  ["exp", "sirnn", 2100 * 8, 0.1],
  ["sigmoid", "sirnn", 4900 * 8, 0.15],
  ["tanh", "sirnn", 4900 * 8, 0.15],
] as const)("%s of %s by its formula is near %d bits", (operator, system, bits, tolerance) => {
  const found = publishedCosts.find((each) => each.operator === operator && each.system === system)!;
  expect(Math.abs(found.bits / bits - 1)).toBeLessThan(tolerance);
});
