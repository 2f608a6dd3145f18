import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { registry } from "../../ir/registry.ts";
import { parse } from "../../ir/text/parse.ts";
import { print } from "../../ir/text/print.ts";
import { verify } from "../../ir/verify.ts";

const folder = new URL("../../ir/", import.meta.url);
const file = new URL("README.md", folder);
const readme = readFileSync(file, "utf8");

const operators = [...registry.values()]
  .sort((a, b) => (a.name < b.name ? -1 : 1))
  .map((def) => {
    const attrs = Object.entries(def.attrs).map(([name, { kind }]) => `${name}: ${kind}`);
    const signature = [def.operands.join(", "), ...(attrs.length > 0 ? [`{ ${attrs.join(", ")} }`] : [])].join(" ");
    return `| \`${def.name}\` | ${signature} | ${def.linear} | ${def.summary} |`;
  });
const table = [
  "| operator | operands and attributes | linear | meaning |",
  "| --- | --- | --- | --- |",
  ...operators,
].join("\n");

describe("ir/README.md", () => {
  const examples = [...readme.matchAll(/```mir\n([\s\S]*?)```/g)].map(([, text]) => text!);

  test.each(examples)("example %# is a valid module", (text) => {
    const module = parse(text, { file: "ir/README.md" });
    expect(verify(module)).toEqual([]);
    expect(parse(print(module))).toEqual(module);
  });

  // BLESS=1 rewrites the table.
  test("lists the operators as their tables describe them", () => {
    const section = /(## Operators\n[^|]*?\n\n)[\s\S]*?(\n\n## )/;
    if (process.env.BLESS)
      writeFileSync(
        file,
        readme.replace(section, (_, head, tail) => `${head}${table}${tail}`),
      );
    expect(readFileSync(file, "utf8")).toContain(table);
  });

  test("lists the diagnostics of this folder", () => {
    const sources = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const used = sources.flatMap((name) => readFileSync(new URL(name, folder), "utf8").match(/MRL0[23]\d\d/g) ?? []);
    const listed = readme.match(/(?<=^\| )MRL\d{4}/gm) ?? [];
    // ir/diagnostic.ts shows one of 1-split's codes as an example.
    expect([...new Set(used)].filter((code) => code !== "MRL0301").sort()).toEqual(listed);
  });
});
