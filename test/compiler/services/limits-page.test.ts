import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { dealCommand } from "../../../compiler/cli/deal.ts";
import { serveCommand } from "../../../compiler/cli/serve.ts";
import { limitSpecs } from "../../../compiler/services/service-limits.ts";

const page = readFileSync(join(resolve(import.meta.dirname, "../../.."), "docs/limits.md"), "utf8");
const rows = [...page.matchAll(/^\| `(--[a-z-]+)` \|(?: `(MARILLC_[A-Z_]+)` \|)?/gm)];

test("docs/limits.md lists every limit with its option and its variable, and no other", () => {
  const flags = Object.keys(limitSpecs).map((name) => `--${name.replace(/[A-Z]/g, (x) => `-${x.toLowerCase()}`)}`);
  const listed = rows.filter(([, , variable]) => variable !== undefined);
  expect(listed.map(([, flag]) => flag)).toEqual(flags);
  for (const [, flag, variable] of listed)
    expect(variable).toBe(`MARILLC${flag!.slice(1).replaceAll("-", "_").toUpperCase()}`);
});

test("every option of the page is an option of deal, and those with a variable also of serve", () => {
  for (const [, flag, variable] of rows) {
    const has = ({ options }: typeof dealCommand): boolean => options.some(({ flags }) => flags.startsWith(`${flag} `));
    expect([flag, has(dealCommand), has(serveCommand)]).toEqual([flag, true, variable !== undefined]);
  }
});
