import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

/** Pages say what is there: every link, every path, every test and every script that a page names exists. */
const root = resolve(import.meta.dirname, "../..");
const sourceFolders = [
  "compiler",
  "docs",
  "examples",
  "fixtures",
  "ir",
  "passes",
  "runtime",
  "scripts",
  "targets",
  "test",
];
const files = [
  ...readdirSync(root),
  ...sourceFolders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
  ),
];
const isThere = new Set(files);
const scripts = Object.keys(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts as object);

/** Files that a command writes, and that no repository has. */
const created = new Set(["program.ts", "decode.ts"]);

const pages = files.filter((file) => file.endsWith(".md")).map((page) => [page] as const);
const readPage = (page: string): string => readFileSync(join(root, page), "utf8");
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, "");
/** What stands in code font, inside a line. */
const quoted = (text: string): string[] => [...withoutCode(text).matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);

/** "a/{b,c}.ts" as "a/b.ts" and "a/c.ts". */
function expanded(path: string): string[] {
  const list = /\{([^{}]*)\}/.exec(path);
  if (!list) return [path];
  return list[1]!.split(",").flatMap((each) => expanded(path.replace(list[0], each)));
}
/** The path, in which `*` stands for any part of a name; `tail`: what may follow. */
const matches = (path: string, tail = "/?"): boolean => {
  const pattern = path
    .replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    .replaceAll("**", "\0")
    .replaceAll("*", "[^/]*");
  const whole = new RegExp(`^${pattern.replaceAll("\0", ".*")}${tail}$`);
  return files.some((file) => whole.test(file) || whole.test(`${file}/`));
};

/** The anchor that a heading has on GitHub. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
const anchorsOf = (page: string): string[] =>
  [...withoutCode(readPage(page)).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!));

describe.each(pages)("%s", (page) => {
  const text = readPage(page);

  it("links to files and headings that exist", () => {
    const targets = [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^[a-z]+:/.test(target));
    const broken = targets.filter((target) => {
      const [path, anchor] = target.split("#") as [string, string | undefined];
      const file = path === "" ? page : join(dirname(page), path).replace(/\/$/, "");
      if (!isThere.has(file)) return true;
      return anchor !== undefined && file.endsWith(".md") && !anchorsOf(file).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it("names paths of the repository that exist", () => {
    const paths = quoted(text)
      .flatMap(expanded)
      .map((code) => code.replace(/:\d+$/, ""))
      .filter((code) => /^[\w@.*/-]+$/.test(code) && sourceFolders.includes(code.split("/")[0]!) && code.includes("/"));
    expect(paths.filter((path) => !matches(path) && !matches(`${path}.ts`))).toEqual([]);
  });

  it("names source files that exist", () => {
    const sources = quoted(text)
      .flatMap(expanded)
      .filter((code) => /^[\w./*-]+\.(ts|mjs|py)$/.test(code) && !sourceFolders.includes(code.split("/")[0]!));
    const exists = (name: string): boolean =>
      matches(`**/${name}`) || matches(join(dirname(page), name)) || created.has(name);
    expect(sources.filter((name) => !exists(name))).toEqual([]);
  });

  it("names tests that exist", () => {
    const runs = [...text.matchAll(/npx vitest run ([^`\n|#]*)/g)].map(([, given]) => given!);
    const tests = runs
      .flatMap((run) => run.split(" "))
      .filter((word) => word.startsWith("test"))
      .flatMap(expanded);
    // vitest takes the beginning of a path as well.
    expect(tests.filter((test) => !matches(test, ".*"))).toEqual([]);
  });

  it("names scripts of package.json that exist", () => {
    const named = [...text.matchAll(/npm run ([\w:-]*\w)/g)].map(([, name]) => name!);
    expect(named.filter((name) => !scripts.includes(name))).toEqual([]);
  });
});
