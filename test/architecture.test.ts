import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { Project } from "ts-morph";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");

/** Which layer may import which: the table of ARCHITECTURE.md. Itself always; nothing else. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  runtime: [],
  ir: [],
  passes: ["ir", "runtime/protocols"],
  targets: ["ir", "passes", "runtime/protocols", "runtime/program", "runtime/ring/tensor.ts", "runtime/core"],
  compiler: ["ir", "passes", "targets", "runtime"],
};
const layers = Object.keys(allowed);
/** Of these another layer takes types alone. */
const typesOnly = ["runtime/program", "runtime/ring/tensor.ts", "runtime/core"];

/**
 * The rooms of a layer in the order in which data passes them: the list of ARCHITECTURE.md. A room imports itself and
 * rooms before it, so that no arrow runs back up. A file belongs to the longest name that its path begins with.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  runtime: [
    "ring",
    "platform",
    "core",
    "correlations",
    "protocols/kit",
    "protocols/boundary",
    "protocols/comparison",
    "protocols/arithmetic",
    "protocols/truncation",
    "protocols/nonlinear",
    "protocols/ordering",
    "protocols/softmax",
    "protocols/lookup",
    "protocols/families/beaver",
    "protocols/families/a2b",
    "protocols/families/sigma",
    "protocols/families/replicated",
    "protocols",
    "program",
    "transport",
    "transport/node",
    "session",
  ],
  passes: ["1-split", "2-rewrite", "3-approximate", "4-quantize", "5-select", "6-schedule"],
  compiler: [
    "tensors/files",
    "tensors",
    "onnx/format",
    "onnx/weights",
    "onnx/normalize",
    "onnx/import/graph",
    "onnx/import/fuse",
    "onnx/import/lower",
    "onnx/import",
    "inputs",
    "ownership",
    "adapters",
    "load",
    "decode",
    "build",
    "audit",
    "compile",
    "keys",
    "run",
    "services",
    "report/cost",
    "report/text",
    "estimate",
    "student/matching",
    "student",
    "api",
    "cli",
  ],
};

/** Files at the root of a layer: its door, and in passes what every pass needs. */
const loose: Readonly<Record<string, readonly string[]>> = {
  runtime: ["index.ts", "node.ts"],
  compiler: ["index.ts"],
};

/** What a browser cannot load, and the only files of the runtime that may name it. */
const nodeOnly = /^runtime\/(node\.ts|platform\/node\.ts|transport\/node\/)/;

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function readEdges(): {
  readonly files: readonly string[];
  readonly inner: readonly Edge[];
  readonly outer: readonly Edge[];
} {
  const project = new Project({ skipAddingFilesFromTsConfig: true });
  project.addSourceFilesAtPaths(layers.map((layer) => join(root, layer, "**/*.ts")));
  const inner: Edge[] = [];
  const outer: Edge[] = [];
  const files: string[] = [];
  for (const file of project.getSourceFiles()) {
    const from = relative(root, file.getFilePath());
    files.push(from);
    for (const declaration of [...file.getImportDeclarations(), ...file.getExportDeclarations()]) {
      const specifier = declaration.getModuleSpecifierValue();
      if (specifier === undefined) continue;
      const edge = { from, typeOnly: declaration.isTypeOnly() };
      if (specifier.startsWith(".")) {
        inner.push({ ...edge, to: relative(root, resolve(dirname(file.getFilePath()), specifier)) });
      } else outer.push({ ...edge, to: specifier });
    }
  }
  return { files, inner, outer };
}

const { files, inner, outer } = readEdges();
const layerOf = (file: string): string => file.split("/")[0]!;

/** Where a file's room is in the order of its layer; undefined: at the root of the layer. */
function roomOf(file: string): number | undefined {
  const [layer, ...rest] = file.split("/");
  const all = rooms[layer!] ?? [];
  const [longest] = all.filter((room) => rest.join("/").startsWith(`${room}/`)).sort((a, b) => b.length - a.length);
  return longest === undefined ? undefined : all.indexOf(longest);
}

/** The door of a file's room; a layer without a list of rooms has none. */
function doorOf(file: string): string | undefined {
  const at = roomOf(file);
  const layer = layerOf(file);
  return at === undefined ? undefined : `${layer}/${rooms[layer]![at]!}/index.ts`;
}

/** Ways in beside the doors: one line for each protocol, and the platform that the import map chooses. */
const besides = (from: string, to: string): boolean =>
  (from === "runtime/protocols/index.ts" && to.startsWith("runtime/protocols/")) ||
  to === "runtime/protocols/registry.ts" ||
  to.startsWith("runtime/platform/");

describe("layers", () => {
  test("every import stays within the table", () => {
    const wrong = inner.filter(({ from, to, typeOnly }) => {
      const layer = layerOf(from);
      if (layerOf(to) === layer) return false;
      return !allowed[layer]!.some(
        (permitted) =>
          (to === permitted || to.startsWith(`${permitted}/`)) &&
          (layer === "compiler" || typeOnly || !typesOnly.includes(permitted)),
      );
    });
    expect(wrong).toEqual([]);
  });

  test.each(Object.keys(rooms))("no import of %s runs back up its rooms", (layer) => {
    const wrong = inner.filter(({ from, to }) => {
      if (layerOf(from) !== layer || layerOf(to) !== layer) return false;
      const [here, there] = [roomOf(from), roomOf(to)];
      return here !== undefined && there !== undefined && there > here;
    });
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  test.each(Object.keys(loose))("every file of %s is in a room, but for its door", (layer) => {
    const outside = files.filter((file) => layerOf(file) === layer && roomOf(file) === undefined);
    expect(outside).toEqual(loose[layer]!.map((name) => `${layer}/${name}`));
  });

  test("a room is entered by its door", () => {
    const wrong = inner.filter(({ from, to }) => {
      const [here, there] = [doorOf(from), doorOf(to)];
      return there !== undefined && here !== there && to !== there && !besides(from, to);
    });
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  test("there are no cycles between files", () => {
    const next = new Map<string, string[]>();
    for (const { from, to } of inner) next.set(from, [...(next.get(from) ?? []), to]);
    const state = new Map<string, "open" | "done">();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === "done") return;
      if (state.get(file) === "open") {
        cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
        return;
      }
      state.set(file, "open");
      for (const to of next.get(file) ?? []) visit(to, [...path, file]);
      state.set(file, "done");
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test("the runtime loads in a browser: nothing of Node outside the files that are for Node", () => {
    expect(
      outer.filter(({ from, to }) => from.startsWith("runtime/") && to.startsWith("node:") && !nodeOnly.test(from)),
    ).toEqual([]);
    const reachable = new Set<string>();
    const visit = (file: string): void => {
      if (reachable.has(file)) return;
      reachable.add(file);
      for (const { from, to, typeOnly } of inner) if (from === file && !typeOnly) visit(to);
    };
    visit("runtime/index.ts");
    expect([...reachable].filter((file) => nodeOnly.test(file))).toEqual([]);
  });

  test("the IR and the passes name no package but those of the language", () => {
    const packages = new Set(
      outer.filter(({ from }) => /^(ir|passes)\//.test(from)).map(({ to }) => to.split("/")[0]!),
    );
    expect([...packages].sort().filter((name) => !["chevrotain", "immer", "lodash-es"].includes(name))).toEqual([]);
  });
});

describe("one file, its test, one line", () => {
  test("every protocol is exported by one statement of runtime/protocols/index.ts and has a test of its name", () => {
    const exported = inner
      .filter(({ from }) => from === "runtime/protocols/index.ts")
      .map(({ to }) => relative("runtime/protocols", to).replace(/\.ts$/, ""));
    expect(new Set(exported).size).toBe(exported.length);
    for (const name of exported) {
      expect(existsSync(join(root, `runtime/protocols/${name}.ts`)), `runtime/protocols/${name}.ts`).toBe(true);
      expect(existsSync(join(root, `test/runtime/protocols/${name}.test.ts`)), `test of ${name}`).toBe(true);
    }
    const declaring = files.filter(
      (file) =>
        file.startsWith("runtime/protocols/") &&
        /^export const \w+ = \w+Protocol\(/m.test(readFileSync(join(root, file), "utf8")),
    );
    expect(declaring.sort()).toEqual(exported.map((name) => `runtime/protocols/${name}.ts`).sort());
  });
});

describe("cryptography", () => {
  const runtimeFiles = files.filter((file) => file.startsWith("runtime/") && !file.endsWith(".generated.ts"));
  const text = (file: string): string => readFileSync(join(root, file), "utf8");
  const code = (file: string): string => text(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");

  test("no BigInt on the share path", () => {
    expect(runtimeFiles.filter((file) => /\bBigInt(64Array)?\b|\bBigUint64Array\b|\b\d+n\b/.test(code(file)))).toEqual(
      [],
    );
  });

  test("one file makes randomness, and nothing calls Math.random", () => {
    expect(files.filter((file) => /Math\.random/.test(text(file)))).toEqual([]);
    const sources = runtimeFiles.filter((file) => /randomBytes|randomFillSync|getRandomValues/.test(text(file)));
    expect(sources.sort()).toEqual(["runtime/platform/browser.ts", "runtime/platform/node.ts"]);
    const users = inner
      .filter(({ to }) => to.startsWith("runtime/platform/"))
      .map(({ from }) => from)
      .filter((file) => !file.startsWith("runtime/platform/"));
    const named = outer.filter(({ to }) => to === "#platform").map(({ from }) => from);
    expect([...new Set([...users, ...named])]).toEqual(["runtime/core/random.ts"]);
  });
});

test("files are short enough to hold one subject", () => {
  const long = files
    .filter((file) => !file.endsWith(".generated.ts"))
    .map((file) => [file, readFileSync(join(root, file), "utf8").split("\n").length] as const)
    .filter(([, lines]) => lines > 320);
  expect(long).toEqual([]);
});
