// Pages of docs/ with generated tables. A table stands between `<!-- npm run <mark> -->` and `<!-- end -->`.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A file of the repository. Commands run from dist/scripts. */
export const repositoryFile = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const readPage = (name: string): string => readFileSync(repositoryFile(`docs/${name}`), "utf8");
export const writePage = (name: string, page: string): void => writeFileSync(repositoryFile(`docs/${name}`), page);

const end = "\n<!-- end -->";

function splitPage(page: string, mark: string): readonly [before: string, table: string, after: string] {
  const begin = `<!-- npm run ${mark} -->\n`;
  const [before, rest] = page.split(begin);
  const length = rest?.indexOf(end) ?? -1;
  if (before === undefined || rest === undefined || length < 0) {
    throw new Error(`expected ${JSON.stringify(begin + end)} in the page, found no such section; add it to the page`);
  }
  return [before + begin, rest.slice(0, length), rest.slice(length)];
}

/** The table that the page shows. @throws Error when the page has no section with this mark */
export const tableIn = (page: string, mark: string): string => splitPage(page, mark)[1];

/** The page with another table. @throws Error when the page has no section with this mark */
export function withTable(page: string, mark: string, table: string): string {
  const [before, , after] = splitPage(page, mark);
  return before + table + after;
}
