/** Removes the types that no entry of the package reaches: a third of what its readers would download for nothing. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { exports: doors, imports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const named = [...Object.values(doors), ...Object.values(imports)].flatMap(({ types }) => types ?? []);
const specifiers = /(?:from ?|import\(|import ?)"(\.{1,2}\/[^"]+?)\.[jt]s"/g;

const reached = new Set();
const visit = (file) => {
  if (reached.has(file) || !existsSync(file)) return;
  reached.add(file);
  for (const [, path] of readFileSync(file, "utf8").matchAll(specifiers)) visit(resolve(dirname(file), `${path}.d.ts`));
};
for (const path of named) visit(resolve(root, path));

for (const name of readdirSync(join(root, "dist"), { recursive: true })) {
  const file = join(root, "dist", name);
  if (name.endsWith(".d.ts") && !reached.has(file)) rmSync(file);
}
