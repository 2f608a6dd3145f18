import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { commands } from "../../compiler/cli/commands.ts";

/** Every command line of a page names a command that exists, with options of that command under their present names. */
const root = resolve(import.meta.dirname, "../..");
const folders = ["compiler", "docs", "examples", "fixtures", "ir", "passes", "runtime", "scripts", "targets", "test"];
const pages = [
  ...readdirSync(root),
  ...folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
  ),
]
  // The log of changes names old options.
  .filter((file) => file.endsWith(".md") && file !== "CHANGELOG.md");

const names = commands.map(({ name }) => name).sort((a, b) => b.length - a.length);
const flagsOf = (name: string): readonly string[] => [
  ...commands
    .find((command) => command.name === name)!
    .options.flatMap(({ flags }) => flags.match(/(?<![\w<-])--?[a-z-]+/g) ?? []),
  "--help",
];

/** Command lines in code font and in blocks: a backslash joins lines, and `#`, `|`, `>`, `;` and `&` end one. */
function linesOf(page: string): readonly string[] {
  const text = readFileSync(join(root, page), "utf8").replace(/\\\n/g, " ");
  const inline = [...text.matchAll(/`(?:npx )?marillc ([^`\n]+)`/g)].map(([, line]) => line!);
  const blocks = [...text.matchAll(/^```(?:sh|bash|console)?\n([\s\S]*?)^```$/gm)].flatMap(([, block]) =>
    [...block!.matchAll(/^(?:\$ )?(?:npx )?marillc (.*)$/gm)].map(([, line]) => line!),
  );
  return [...inline, ...blocks].map((line) =>
    line
      .replace(/"[^"]*"|'[^']*'/g, "x")
      .split(/ #|[|;&]| >/)[0]!
      .trim(),
  );
}

/** `<command>` and `…` stand for any command. */
const isAny = (line: string): boolean => /^(<|…|\.\.\.|--help|--version)/.test(line);

function faultOf(line: string): string | undefined {
  const name = names.find((each) => line === each || line.startsWith(`${each} `));
  if (name === undefined) return isAny(line) ? undefined : `${line}: no such command`;
  const known = flagsOf(name);
  const given = line.split(/\s+/).flatMap((word) => word.match(/^\[?(--?[a-zA-Z][\w-]*)/)?.[1] ?? []);
  const unknown = given.filter((flag) => !known.includes(flag));
  return unknown.length > 0 ? `${line}: ${name} has no ${unknown.join(", ")}` : undefined;
}

it("the pages have command lines", () => {
  expect(pages.flatMap(linesOf).length).toBeGreaterThan(50);
});

it.each(pages)("%s", (page) => {
  expect(
    linesOf(page)
      .map(faultOf)
      .filter((fault) => fault !== undefined),
  ).toEqual([]);
});

it.each([
  ["cots build", "no such command"],
  ["cost build --lnk wan", "has no --lnk"],
  ["cost --shape bert-base", "has no --shape"],
])("%s is found wrong", (line, says) => {
  expect(faultOf(line)).toContain(says);
});
