import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { protocols } from "../../runtime/protocols/registry.ts";

const root = resolve(import.meta.dirname, "../..");
const folder = "docs/protocols";
const pages = new Map(
  readdirSync(join(root, folder)).map((name) => [`${folder}/${name}`, readFileSync(join(root, folder, name), "utf8")]),
);

/** Protocols by the page that their `paper` names. */
const described = [...protocols.values()].flatMap((protocol) => {
  const page = /docs\/protocols\/[\w-]+\.md/.exec(protocol.paper)?.[0];
  return page ? [{ name: protocol.name, page, ours: protocol.paper.startsWith("ours") }] : [];
});

it("every protocol of ours names its page", () => {
  const without = [...protocols.values()].filter(
    ({ name, paper }) => /\bours\b/.test(paper) && !described.some((each) => each.name === name),
  );
  expect(without.map(({ name }) => name)).toEqual([]);
  expect(described.length).toBeGreaterThan(40);
});

it.each(described)("$page describes $name", ({ page }) => {
  expect([...pages.keys()]).toContain(page);
});

/** What stands in code font. */
const quoted = (text: string): string[] => [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);

/** In full, or as `.operator` or `-variant` in a list behind a relative. */
it.each(described.filter(({ ours }) => ours))("$page names $name", ({ name, page }) => {
  const operator = name.slice(name.indexOf("."));
  const ways = [name, operator, operator.slice(operator.indexOf("-")), `${name.slice(0, -operator.length)}.…`];
  expect(quoted(pages.get(page)!).filter((code) => ways.includes(code))).not.toEqual([]);
});

/** A heading or a bold word that begins a paragraph. */
const section = (text: string, word: string): boolean =>
  text.split("\n").some((line) => /^(#+ |\*\*)/.test(line) && line.toLowerCase().includes(word));

/** "a/{b,c}.ts" as "a/b.ts" and "a/c.ts". */
function expanded(path: string): string[] {
  const list = /\{([^{}]*)\}/.exec(path);
  if (!list) return [path];
  return list[1]!.split(",").flatMap((each) => expanded(path.replace(list[0], each)));
}
const files = ["compiler", "ir", "passes", "runtime", "test"].flatMap((top) =>
  readdirSync(join(root, top), { recursive: true, encoding: "utf8" }).map((name) => `${top}/${name}`),
);
/** A path from the root, or the name of a file beside the protocols; `*` stands for a part of a name. */
const found = (pattern: string): boolean => {
  const path = new RegExp(`^(runtime/protocols/(.*/)?)?${pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`);
  return files.some((file) => path.test(file));
};

describe.each([...pages])("%s", (_, text) => {
  it.each(["functionality", "simulator", "cost"])("has a section for: %s", (word) => {
    expect(section(text, word)).toBe(true);
  });

  it("names sources that exist", () => {
    const named = quoted(text)
      .filter((code) => /^[\w./{},*-]+\.ts$/.test(code))
      .flatMap(expanded);
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((file) => !found(file))).toEqual([]);
  });

  it("is shown by tests that exist", () => {
    const runs = quoted(text).filter((code) => code.startsWith("npx vitest run "));
    expect(runs.length).toBeGreaterThan(0);
    const tests = runs.flatMap((run) => run.split(" ").slice(3)).flatMap(expanded);
    // vitest takes the beginning of a path as well.
    expect(tests.filter((test) => !found(test) && !found(`${test}*`))).toEqual([]);
  });
});
