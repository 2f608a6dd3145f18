// What freezing, LoRA and merged heads save: npm run gains [-- --only "decode at 256"] [--measure] [--write] [--check]
// Needs `npm run build` before. Prints the tables of docs/gains.md: counted on the shape of open_llama_3b_v2 (some
// minutes), and with --measure also run on a small shape. --write puts what was made there; --check fails where the
// page shows other tables.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { gainsOf, gainsTable, summaryTable, workTable } from "../dist/scripts/tables/savings.js";
import { measuredTable } from "../dist/scripts/tables/savings-measured.js";
import { counted, questions } from "../dist/scripts/tables/savings-rows.js";

const page = new URL("../docs/gains.md", import.meta.url);
const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    measure: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
  },
});
const progress = (line) => process.stderr.write(`\r\x1b[K${line}`);

const chosen = questions.filter(({ title }) => options.only === undefined || title === options.only);
if (chosen.length === 0) {
  const titles = questions.map(({ title }) => `"${title}"`).join(", ");
  throw new Error(`--only: expected ${titles}, found "${options.only}"`);
}
const gains = new Map(chosen.map((question) => [question.title, gainsOf(counted, question, progress)]));
const tables = new Map([...gains].map(([title, rows]) => [title, gainsTable(rows)]));
if (chosen.length === questions.length) {
  tables.set("summary", summaryTable(gains));
  tables.set("work", workTable(gains));
}
if (options.measure) tables.set("measured", await measuredTable(progress));
progress("");

let text = readFileSync(page, "utf8");
const wrong = [];
for (const [title, table] of tables) {
  console.log(`### ${title}\n\n${table}\n`);
  const mark = `<!-- npm run gains: ${title} -->\n`;
  const [before, rest] = text.split(mark);
  if (rest === undefined) throw new Error(`docs/gains.md has no place for the table "${title}"`);
  const shown = rest.slice(0, rest.indexOf("<!-- end -->"));
  // Seconds that were measured are never the same twice.
  if (shown !== `${table}\n` && title !== "measured") wrong.push(title);
  text = `${before}${mark}${table}\n${rest.slice(shown.length)}`;
}
if (options.write) writeFileSync(page, text);
else if (options.check && wrong.length > 0) {
  console.error(`docs/gains.md shows other tables of ${wrong.join(", ")}: npm run gains -- --write`);
  process.exit(1);
}
