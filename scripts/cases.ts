import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { textTable } from "../compiler/report/text/index.ts";
import { type CaseResult, runCase } from "./tables/cases.ts";

/**
 * `npm run cases [-- folder …]`: runs every case of fixtures/cases, and of each folder that is named, with the command
 * lines of its page, and prints what happened beside ONNX Runtime's answers.
 */
const folders = ["fixtures/cases", ...process.argv.slice(2)];
const rows: (readonly string[])[] = [];
for (const folder of folders)
  for (const name of readdirSync(folder, { withFileTypes: true }).flatMap((each) =>
    each.isDirectory() ? each.name : [],
  ))
    if (existsSync(join(folder, name))) rows.push(...rowsOf(await runCase(join(folder, name))));
const columns = ["case", "compile", "followed", "run"].map((title) => ({ title }));
const numbers = ["largest value", "error", "relative", "secure−plain"].map((title) => ({
  title,
  right: true as const,
}));
process.stdout.write(textTable([...columns, ...numbers], rows));

function rowsOf({ name, compiled, followed, runs }: CaseResult): readonly (readonly string[])[] {
  const head = [name, compiled, followed ?? ""];
  if (runs.length === 0) return [[...head, "", "", "", "", ""]];
  return runs.map(({ outcome, output, largest, error, fromPlain }, k) => {
    const short = (x: number | undefined): string => (x === undefined ? "" : x.toPrecision(2));
    const relative = error === undefined || !largest ? undefined : error / largest;
    const numbers = [short(largest), short(error), short(relative), short(fromPlain)];
    return [...(k === 0 ? head : ["", "", ""]), output ? `${outcome} ${output}` : outcome, ...numbers];
  });
}
