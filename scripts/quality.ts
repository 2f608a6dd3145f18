// Answers held-out questions through the secure path, with each row of fixtures/quality whose weights are committed:
//   npm run quality [-- --limit 200 --rows date-full,review-full --results build/quality.json --write]
// Prints the tables of docs/quality.md; --write updates the page. --results keeps the answers: a row that was asked as
// many questions at the same cost is not run again.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { readPage, repositoryFile, withTable, writePage } from "./pages.ts";
import { qualityText } from "./tables/quality.ts";
import { measureRow, readCard, rowKey, type SecureResults } from "./tables/quality-rows.ts";

const page = "quality.md";
const fixture = repositoryFile("fixtures/quality");
const { values: options } = parseArgs({
  options: {
    limit: { type: "string", default: "200" },
    rows: { type: "string" },
    results: { type: "string" },
    write: { type: "boolean", default: false },
  },
});
const chosen = options.rows?.split(",");
const kept = options.results === undefined ? undefined : repositoryFile(options.results);

const card = readCard(fixture);
const results: SecureResults =
  kept !== undefined && existsSync(kept) ? (JSON.parse(readFileSync(kept, "utf8")) as SecureResults) : {};
const folder = mkdtempSync(join(tmpdir(), "marillc-quality-"));
try {
  for (const row of card.rows) {
    const key = rowKey(row);
    if (!row.files || (chosen && !chosen.includes(key))) continue;
    results[key] = await measureRow(row, {
      fixture,
      build: join(folder, key),
      limit: Number(options.limit),
      known: results[key],
      progress: (line) => process.stderr.write(`\r\x1b[K${line}`),
    });
    process.stderr.write("\n");
    if (kept === undefined) continue;
    mkdirSync(dirname(kept), { recursive: true });
    writeFileSync(kept, JSON.stringify(results));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const text = qualityText(card, results);
console.log(text);
if (options.write) writePage(page, withTable(readPage(page), "quality", text));
