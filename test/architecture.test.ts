import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { Project, type SourceFile, SyntaxKind } from "ts-morph";
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
    "kernels",
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
    "accuracy",
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
  passes: ["graph.ts", "pass.ts"],
  compiler: ["index.ts"],
};

const audit = "compiler/audit";
/** Packages that a layer may name; the compiler may name all that package.json does. */
const packages: Readonly<Record<string, readonly string[]>> = {
  runtime: ["#platform", "@noble/ciphers", "@noble/hashes"],
  ir: ["chevrotain", "immer", "lodash-es"],
  passes: ["chevrotain", "immer", "lodash-es"],
};
const packageOf = (to: string): string => /^(@[^/]+\/)?[^/]+/.exec(to)![0];
/** They load a program of a build, and whichever ONNX Runtime is installed. */
const loaders = ["compiler/build/load-party.ts", "compiler/run/onnx-runtime.ts"];

/** The two platforms of the runtime; in the compiler keys, the check of a machine, and the names of sessions. */
const randomSources = [
  "compiler/keys/x509.ts",
  "compiler/services/doctor-checks.ts",
  "compiler/services/session-agreement.ts",
  "runtime/platform/browser.ts",
  "runtime/platform/node.ts",
];

/** What a browser cannot load, and the only files of the runtime that may name it. */
const nodeOnly = /^runtime\/(node\.ts|platform\/node\.ts|transport\/node\/)/;

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
  /** Loaded when it is needed: `import(…)`. */
  readonly late: boolean;
}

function readEdges(): {
  readonly project: Project;
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
    for (const { specifier, ...kind } of importsOf(file)) {
      const edge = { from, ...kind };
      if (specifier.startsWith(".")) {
        inner.push({ ...edge, to: relative(root, resolve(dirname(file.getFilePath()), specifier)) });
      } else outer.push({ ...edge, to: specifier });
    }
  }
  return { project, files, inner, outer };
}

interface Import extends Pick<Edge, "typeOnly" | "late"> {
  readonly specifier: string;
}

/** Every way in which a file names another: declarations, `import(…)` of a value and of a type, and `require(…)`. */
function importsOf(file: SourceFile): readonly Import[] {
  const declared = [...file.getImportDeclarations(), ...file.getExportDeclarations()].flatMap((declaration) => {
    const specifier = declaration.getModuleSpecifierValue();
    return specifier === undefined ? [] : [{ specifier, typeOnly: declaration.isTypeOnly(), late: false }];
  });
  if (!/\b(import|require)\s*\(/.test(file.getFullText())) return declared;
  const types = file.getDescendantsOfKind(SyntaxKind.ImportType).flatMap((type) => {
    const literal = type.getArgument().getFirstDescendantByKind(SyntaxKind.StringLiteral);
    return literal ? [{ specifier: literal.getLiteralValue(), typeOnly: true, late: false }] : [];
  });
  const calls = file
    .getDescendantsOfKind(SyntaxKind.CallExpression)
    .filter((call) => ["import", "require"].includes(call.getExpression().getText()))
    .map((call) => call.getArguments()[0])
    .map((argument) => ({
      specifier: argument?.asKind(SyntaxKind.StringLiteral)?.getLiteralValue() ?? computed,
      typeOnly: false,
      late: true,
    }));
  return [...declared, ...types, ...calls];
}
/** The specifier of an import whose target is not written down. */
const computed = "(computed)";

const { project, files, inner, outer } = readEdges();
const isNode = (to: string): boolean => to.startsWith("node:") || builtinModules.includes(to.split("/")[0]!);
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
    expect(outer.filter(({ from, to }) => from.startsWith("runtime/") && isNode(to) && !nodeOnly.test(from))).toEqual(
      [],
    );
    const reachable = new Set<string>();
    const visit = (file: string): void => {
      if (reachable.has(file)) return;
      reachable.add(file);
      for (const { from, to, typeOnly } of inner) if (from === file && !typeOnly) visit(to);
    };
    visit("runtime/index.ts");
    expect([...reachable].filter((file) => nodeOnly.test(file))).toEqual([]);
  });

  test.each(Object.entries(packages))("%s names no package but its own few", (layer, allowedPackages) => {
    const named = outer.filter(({ from, to }) => layerOf(from) === layer && !(isNode(to) && nodeOnly.test(from)));
    expect(named.filter(({ to }) => !allowedPackages.includes(packageOf(to)))).toEqual([]);
  });

  test("no file enters the package by its own name, and only two load what is not written down", () => {
    expect(outer.filter(({ to }) => packageOf(to) === "marillc")).toEqual([]);
    expect(outer.filter(({ to }) => to === computed).map(({ from }) => from)).toEqual(loaders);
  });

  test("the flow checker imports nothing of ours: a mistake elsewhere is not its mistake as well", () => {
    const wrong = inner.filter(({ from, to }) => from.startsWith(`${audit}/`) && !to.startsWith(`${audit}/`));
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
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
  /** Names and literals of the code, without comments: a search in the text would stop at a `//` inside a string. */
  const wordsOf = (file: string): readonly string[] => {
    const source = project.getSourceFileOrThrow(join(root, file));
    const identifiers = source.getDescendantsOfKind(SyntaxKind.Identifier).map((each) => each.getText());
    const strings = source.getDescendantsOfKind(SyntaxKind.StringLiteral).map((each) => each.getLiteralValue());
    const bigints = [SyntaxKind.BigIntLiteral, SyntaxKind.BigIntKeyword].flatMap((kind) =>
      source.getDescendantsOfKind(kind).map(() => "BigInt"),
    );
    return [...identifiers, ...strings, ...bigints];
  };
  /** Files whose code has one of the words; a text without them, in comments too, needs no parse. */
  const using = (words: RegExp, hint: RegExp, layer = ""): readonly string[] =>
    files
      .filter((file) => !file.endsWith(".generated.ts") && file.startsWith(layer))
      .filter((file) => hint.test(readFileSync(join(root, file), "utf8")))
      .filter((file) => wordsOf(file).some((word) => words.test(word)))
      .sort();

  test("no BigInt on the share path", () => {
    expect(using(/Big(Int|Uint)/, /bigint|biguint|\d[\da-fox_]*n\b/i, "runtime/")).toEqual([]);
  });

  test("one file makes randomness, and nothing calls Math.random", () => {
    expect(using(/^random$/, /\bMath\b[\s\S]*random/)).toEqual([]);
    const words = /^(random(Bytes|FillSync|Fill|UUID|Int)|getRandomValues|generateKey(Pair)?(Sync)?|webcrypto)$/;
    expect(using(words, /random|generateKey|webcrypto/i)).toEqual(randomSources);
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
    .filter(([, lines]) => lines > 301);
  expect(long).toEqual([]);
});
