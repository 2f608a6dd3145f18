import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { registry } from "../../ir/registry.ts";

const folder = new URL("../../ir/ops/", import.meta.url);
const camel = (name: string): string => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());

test("each operator is one file and one line of the index, and there is nothing else", () => {
  const names = [...registry.keys()].sort();
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".ts") && !["index.ts", "define.ts"].includes(file))
    .sort();
  expect(files).toEqual(names.map((name) => `${name}.ts`).sort());
  const lines = readFileSync(new URL("index.ts", folder), "utf8").trim().split("\n");
  expect([...lines].sort()).toEqual(names.map((name) => `export { ${camel(name)} } from "./${name}.ts";`).sort());
});

test("each operator has a name, a summary and selectors among its operands", () => {
  for (const def of registry.values()) {
    expect(def.name).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(def.summary.length, def.name).toBeGreaterThan(0);
    for (const index of def.selectors ?? []) expect(def.operands[index], def.name).toBeDefined();
  }
});
