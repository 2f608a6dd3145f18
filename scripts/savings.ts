// What freezing, LoRA and merged heads save:
//   npm run savings [-- --only "decode at 256" --measure --write --check]
// Prints the tables of docs/savings.md: counted on the shape of open_llama_3b_v2 (some minutes), and with --measure also
// run on a small shape. --write updates the tables on the page that were made; --check fails where the page has others.
import { parseArgs } from "node:util";
import { readPage, tableIn, withTable, writePage } from "./pages.ts";
import { countSavings, savingsTable, summaryTable, workTable } from "./tables/savings.ts";
import { measuredTable } from "./tables/savings-measured.ts";
import { countedSubject, workloads } from "./tables/savings-rows.ts";

const page = "savings.md";
const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    measure: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
  },
});
/** Each line replaces the one before. */
const progress = (line: string): void => void process.stderr.write(`\r\x1b[K${line}`);

const chosen = workloads.filter(({ title }) => options.only === undefined || title === options.only);
if (chosen.length === 0) {
  const titles = workloads.map(({ title }) => `"${title}"`).join(", ");
  throw new Error(`--only: expected one of ${titles}, found "${options.only}"`);
}
const savings = new Map(
  chosen.map((workload) => [workload.title, countSavings(countedSubject, workload, progress)] as const),
);
const tables = new Map([...savings].map(([title, rows]) => [title, savingsTable(rows)]));
if (chosen.length === workloads.length) {
  tables.set("summary", summaryTable(savings));
  tables.set("work", workTable(savings));
}
if (options.measure) tables.set("measured", await measuredTable(progress));
progress("");
for (const [title, table] of tables) console.log(`### ${title}\n\n${table}\n`);

const text = readPage(page);
// Measured seconds differ in every run.
const outdated = [...tables].filter(
  ([title, table]) => title !== "measured" && tableIn(text, `savings: ${title}`) !== table,
);
if (options.write) {
  writePage(
    page,
    [...tables].reduce((all, [title, table]) => withTable(all, `savings: ${title}`, table), text),
  );
} else if (options.check && outdated.length > 0) {
  const titles = outdated.map(([title]) => title).join(", ");
  console.error(`docs/savings.md has other tables of ${titles}: npm run savings -- --write`);
  process.exitCode = 1;
}
