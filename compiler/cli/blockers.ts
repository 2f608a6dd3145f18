import { groupBy } from "lodash-es";
import { type Diagnostic, formatDiagnostic, printable } from "../../ir/diagnostic.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import { nodeLayer } from "../onnx/weights/index.ts";
import { type Blocker, parseBlocker } from "../report/text/index.ts";
import { withAdvice } from "./advice.ts";

const staticShapeAdvice =
  "its shape depends on data, and a program has one shape: keep the full length, and mark what counts with Where or Mul";
const knownSizesAdvice = "make its sizes numbers of the file: export with static shapes, or bind dimensions with --dim";
const roundingAdvice = "no protocol rounds: keep it on values that one party knows, or leave it out before the export";
const branchAdvice = "what is secret chooses no branch: compute both, and choose between their results with Where";

/** The nearest rewrite, by the operator of the node, where the diagnostic itself has none. */
const operatorAdvice: Readonly<Record<string, string>> = {
  NonZero: staticShapeAdvice,
  Compress: staticShapeAdvice,
  Unique: staticShapeAdvice,
  Reshape: knownSizesAdvice,
  Expand: knownSizesAdvice,
  Tile: knownSizesAdvice,
  Range: knownSizesAdvice,
  Slice: `${knownSizesAdvice}; a place that is secret is chosen by Gather`,
  Pad: knownSizesAdvice,
  Resize: knownSizesAdvice,
  ConstantOfShape: knownSizesAdvice,
  Floor: roundingAdvice,
  Ceil: roundingAdvice,
  Round: roundingAdvice,
  Mod: roundingAdvice,
  If: branchAdvice,
  Loop: "the number of rounds must be known: unroll the loop before the export, as many times as it ever runs",
  ScatterND: "places must be known: write Where(mask, update, data), the mask from Equal with a range of places",
  GatherND: "join the coordinates to one place, and use Gather on the reshaped data",
  IsNaN: "leave it out: fixed point has no NaN",
  IsInf: "leave it out: fixed point has no infinity",
  Pow: "make the exponent a constant of the file, or write Exp(Mul(y, Log(x)))",
};

/** Codes whose help knows nothing of the operator. */
const generalCodes: ReadonlySet<string> = new Set(["MRL0502", "MRL0520"]);

/** Every blocker with node, operator and layer, where it is one of a node, and with what to do. */
export function blockersFrom(diagnostics: readonly Diagnostic[], { graph }: OnnxModel): readonly Blocker[] {
  // Later stages know the name of the node alone.
  const nodes = new Map(graph.nodes.map((node) => [node.name, node]));
  return diagnostics.map((diagnostic) => {
    const found = parseBlocker(diagnostic);
    const node = nodes.get(diagnostic.at ?? "");
    const layer = node && nodeLayer(node);
    const located = node ? { ...found, node: node.name, operator: node.op, ...(layer && { layer }) } : found;
    const rewrite = Object.hasOwn(operatorAdvice, located.operator ?? "")
      ? operatorAdvice[located.operator!]
      : undefined;
    const isGeneral = located.help === undefined || generalCodes.has(located.code);
    return isGeneral && rewrite !== undefined ? { ...located, help: rewrite } : withAdvice(located);
  });
}

/** Places of one reason that are printed; `--json` has all. */
const maxLocations = 6;

/** What equal layers do not share: names of values and weights, and numbers. */
const reasonOf = ({ code, operator = "", message, help = "" }: Blocker): string =>
  [code, operator, message.replace(/%[\w.:/-]+|"[^"]*"/g, "%").replace(/-?\d[\d.]*(e[+-]?\d+)?/g, "#"), help].join(
    "\n",
  );

const locationText = ({ node, operator, layer, at }: Blocker): string =>
  node === undefined ? (at ?? "") : `node "${node}" (${operator})${layer ? `, layer ${layer}` : ""}`;

/** Blockers by their reason: the first in full, and where the others are. */
export function blockerLines(blockers: readonly Blocker[]): readonly string[] {
  const groups = Object.values(groupBy(blockers, reasonOf));
  const lines = groups.flatMap((all) => {
    const [first] = all as [Blocker];
    const { at: _, because = [], help, ...plain } = first;
    const locations = [...new Set(all.map(locationText))].filter((location) => location !== "");
    const more = locations.length - maxLocations;
    const listed = [
      ...locations.slice(0, maxLocations).map(printable),
      ...(more > 0 ? [`… and ${more} more: --json has all`] : []),
    ];
    const indented = (title: string, texts: readonly string[]): readonly string[] =>
      texts.map((text, index) => `  ${(index === 0 ? title : "").padEnd(8)}${text}`);
    return [
      `${formatDiagnostic({ code: plain.code, message: plain.message })}${all.length > 1 ? ` (${all.length} times alike)` : ""}`,
      ...indented("at", listed),
      ...indented("because", because.map(printable)),
      ...indented("help", help === undefined ? [] : [printable(help)]),
    ];
  });
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
  const summary = `FAILED: ${count(blockers.length, "blocker")}, ${count(groups.length, "reason")}`;
  return [...lines, summary];
}
