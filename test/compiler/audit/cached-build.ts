import type { BuildFiles } from "../../../compiler/audit/party-files.ts";
import { edited, goldenBuild, modulePaths, programPaths, resealed, withManifest } from "./builds.ts";

const type = "{ shape: [3, 4], width: 15, scale: 12, lo: -0.3, hi: 2";

function keepsItsGate(text: string): string {
  const indent = text.includes("import type") ? "  " : "    ";
  const edits: readonly (readonly [string | RegExp, string])[] = [
    ["import type { Fixed, ", "import type { CachedDecl, Fixed, "],
    ["typeof weightTypes>", "typeof weightTypes, keyof typeof cachedTypes>"],
    [/(const types = \{\n)/, `$1${indent}past: ${type} },\n`],
    ["operands: [types.gate_open, types.q_b_t_open]", "operands: [types.past, types.q_b_t_open]"],
    ["specs.gated, gate_open, q_b_t_open", "specs.gated, cached.past, q_b_t_open"],
    ["inputs, weights) {", "inputs, weights, cached) {"],
    ["weights: weightTypes,\n", `weights: weightTypes,\n${indent}cached: cachedTypes,\n`],
    ["return { logits };", "return { logits, past: gate_open };"],
  ];
  const table = `const cachedTypes = {\n${indent}past: ${type}, past: 3 },\n}`;
  const typed = text.includes("import type") ? `${table} as const satisfies Record<string, CachedDecl>;` : `${table};`;
  return edits
    .reduce((changed, [from, to]) => changed.replace(from, to), text)
    .replace("export const program", () => `${typed}\nexport const program`);
}

const inModule = (text: string): string =>
  text
    .replace("  param", "  input %past : shared masked fx15.12[3, 4] in [-0.3, 2]\n  param")
    .replace("mul %gate.open, %q.b.t.open", "mul %past, %q.b.t.open");

/** The golden build, changed to keep its gate and to multiply with the earlier gate. */
export const keptBuild: BuildFiles = resealed(
  edited(edited(goldenBuild(), programPaths, keepsItsGate), modulePaths, inModule),
);
/** Program texts for one position. */
export const decodePaths: readonly string[] = programPaths.map((path) => path.replace("program.", "decode."));

/** The same program also as that for one position, under its names. */
export const twice: BuildFiles = withManifest(
  new Map([...keptBuild, ...[...programPaths, ...modulePaths].map(asDecode)]),
  ({ programHash, artefactsHash, cuts, reveals, ...manifest }) => {
    const own = { programHash, artefactsHash, cuts, reveals };
    const decode = {
      ...own,
      // Three rows of earlier queries and three of its own.
      places: 6,
      kept: [{ name: "past", shape: [3, 4], width: 15 }],
      cuts: (cuts as object[]).map((cut) => ({ ...cut, axis: 0 })),
    };
    return { ...manifest, ...own, decode };
  },
);
function asDecode(path: string): [string, Uint8Array] {
  return [path.replace("program.", "decode."), keptBuild.get(path)!];
}
