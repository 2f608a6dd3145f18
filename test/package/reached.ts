import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** Where Node or a bundler enters the package; threads are named by path, and so is the browser's platform. */
const entries = [
  "compiler/cli/main.js",
  "compiler/index.js",
  "compiler/run/party-worker.js",
  "compiler/services/session-thread.js",
  "runtime/index.js",
  "runtime/node.js",
  "compiler/report/text/schemas.js",
  "runtime/platform/node.js",
  "runtime/platform/browser.js",
];

const specifiers = /(?:from ?|import\(|import ?)"(\.{1,2}\/[^"]+\.m?js)"/g;

/** Modules of dist that some entry imports, directly or not. */
export function reachedFrom(folder: string): ReadonlySet<string> {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file) || !existsSync(file)) return;
    reached.add(file);
    for (const [, path] of readFileSync(file, "utf8").matchAll(specifiers)) visit(resolve(dirname(file), path!));
  };
  for (const entry of entries) visit(join(folder, "dist", entry));
  return reached;
}

/** Modules of dist that hold code: one of types alone is empty. */
export const codeOf = (folder: string): readonly string[] =>
  readdirSync(join(folder, "dist"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js"))
    .map((name) => join(folder, "dist", name))
    .filter(
      (file) =>
        readFileSync(file, "utf8")
          .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "")
          .trim() !== "export {};",
    );
