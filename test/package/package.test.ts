import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import lock from "../../package-lock.json" with { type: "json" };
import { requireBuilt } from "../end-to-end/spawned.ts";
import { codeOf, reachedFrom } from "./reached.ts";

/*
 * The tarball as users get it, unpacked beside links to the packages that it depends on and to no other: what it imports
 * without declaring is missing here. `npm run try-package` does the real installation, with a registry.
 */
const root = resolve(import.meta.dirname, "../..");
const project = mkdtempSync(join(tmpdir(), "marillc-package-"));
const modules = join(project, "node_modules");
const installed = join(modules, "marillc");
const consumer = join(import.meta.dirname, "consumer.ts");
afterAll(() => rmSync(project, { recursive: true, force: true }));

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}
let packed: Packed;

function link(name: string): void {
  mkdirSync(dirname(join(modules, name)), { recursive: true });
  symlinkSync(join(root, "node_modules", name), join(modules, name));
}

const node = (...args: readonly string[]): string =>
  execFileSync(process.execPath, args, { cwd: project, encoding: "utf8", env: { PATH: process.env.PATH } });

beforeAll(() => {
  requireBuilt();
  const text = execFileSync("npm", ["pack", "--json", "--pack-destination", project], { cwd: root, encoding: "utf8" });
  [packed] = JSON.parse(text) as [Packed];
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", join(project, packed.filename), "--strip-components", "1", "-C", installed]);
  for (const name of [...Object.keys(manifest.dependencies), "@types/node"]) link(name);
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
});

describe("what is in it", () => {
  test("programs, types, pages, examples and the demo's model, in at most 10 MB", () => {
    const kinds = new Set(packed.files.map(({ path }) => path.replace(/^([^/]+)\/.*/, "$1/")));
    const pages = readdirSync(root).filter((name) => name.endsWith(".md") && name !== "CONTRIBUTING.md");
    const folders = ["dist/", "docs/", "examples/", "fixtures/", "ir/", "runtime/"];
    expect([...kinds].sort()).toEqual([...folders, ...pages, "LICENSE", "package.json"].sort());
    expect(packed.size).toBeLessThan(10e6);
    expect("private" in manifest).toBe(false);
  });

  test("no source, no test, and no module that neither the command line nor the library reaches", () => {
    const paths = packed.files.map(({ path }) => path);
    expect(paths.filter((path) => /\.ts$/.test(path) && !/\.d\.ts$/.test(path))).toEqual([]);
    expect(paths.filter((path) => /(^|\/)test\/|\.test\./.test(path))).toEqual([]);
    const reached = reachedFrom(installed);
    expect(codeOf(installed).filter((file) => !reached.has(file))).toEqual([]);
  });

  test("no type that TypeScript 5.6 does not know: typed arrays became generic in 5.7", () => {
    const types = packed.files.map(({ path }) => path).filter((path) => path.endsWith(".d.ts"));
    const generic = /\b(Int|Uint|Float|BigInt|BigUint)\d+(Clamped)?Array</;
    expect(types.filter((path) => generic.test(readFileSync(join(installed, path), "utf8")))).toEqual([]);
  });

  test("no package that it depends on runs a script when it is installed", () => {
    type Entry = { readonly hasInstallScript?: boolean; readonly dev?: boolean };
    const entries = Object.entries(lock.packages as Readonly<Record<string, Entry>>);
    expect(entries.filter(([, entry]) => entry.hasInstallScript && !entry.dev).map(([name]) => name)).toEqual([]);
  });
});

describe("what it does", () => {
  test("the command line runs, finds its version, and has an ONNX Runtime without the native one", () => {
    const main = join(installed, manifest.bin.marillc);
    expect(node(main, "--version")).toBe(`${manifest.version}\n`);
    const { findings } = JSON.parse(node(main, "doctor", "--json")) as { findings: { what: string; found: string }[] };
    const runtime = findings.find(({ what }) => what === "ONNX Runtime")!;
    expect(runtime.found).toMatch(/^\d+\.\d+\.\d+, WebAssembly \(onnxruntime-node is not installed;/);
  });

  test("npx marillc works in a built checkout too, without a registry", () => {
    const env = { ...process.env, npm_config_offline: "true" };
    const out = execFileSync("npx", ["marillc", "--version"], { cwd: root, encoding: "utf8", env });
    expect(out).toBe(`${manifest.version}\n`);
  });

  test("the library is one function for each command", () => {
    const script = 'import * as all from "marillc"; console.log(JSON.stringify(Object.keys(all)));';
    const names = JSON.parse(node("--input-type=module", "-e", script)) as string[];
    const commands = ["check", "compile", "cost", "run", "generate", "query", "serve", "deal"];
    const further = ["inspect", "evaluate", "rewrite", "doctor", "createKeys", "checkBuild", "inspectBuild"];
    expect([...commands, ...further].filter((name) => !names.includes(name))).toEqual([]);
  });

  test("a model is compiled and counted from an empty folder", () => {
    const model = join(installed, "fixtures/date-llama/base-ts17.onnx");
    const options = JSON.stringify({ model, private: ["*layers.5*"], reveal: { logits: "client" } });
    const script = `import { check } from "marillc"; const { passed, operators } = await check(${options}); console.log(passed, operators[0].supported);`;
    expect(node("--input-type=module", "-e", script)).toMatch(/^(true|false) true\n$/);
  });

  test.each([
    ["nodenext", ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext],
    ["bundler", ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
  ])("its types hold under moduleResolution %s, without skipLibCheck", (_, module, moduleResolution) => {
    const file = join(project, "consumer.ts");
    writeFileSync(file, readFileSync(consumer));
    const strict = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true };
    const program = ts.createProgram([file], {
      ...strict,
      target: ts.ScriptTarget.ES2022,
      module,
      moduleResolution,
      types: ["node"],
      typeRoots: [join(modules, "@types")],
    });
    const found = ts.getPreEmitDiagnostics(program).map(({ file: at, messageText }) => {
      return `${at?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
    });
    expect(found).toEqual([]);
  });

  test("marillc/runtime goes into a bundle for browsers, which names nothing of Node and computes", async () => {
    const outfile = join(project, "bundle.mjs");
    const entry = join(installed, "examples/own-protocol.mjs");
    await build({
      entryPoints: [entry],
      outfile,
      bundle: true,
      platform: "browser",
      format: "esm",
      logLevel: "silent",
    });
    const text = readFileSync(outfile, "utf8");
    expect(text.match(/\b(from|import\(|require\()\s*"[^"]+"/g)).toBe(null);
    expect(node(outfile)).toContain("x² [ 9, 49, 998001 ]");
  });
});
