import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import { nodeLayer } from "../onnx/weights/index.ts";
import { type Blocker, parseBlocker } from "../report/text/index.ts";
import { withHelp } from "./help.ts";

const oneShape =
  "its shape depends on data, and a program has fixed shapes: keep the full length, and mask unused elements with Where or Mul";
const sizes = "make its sizes constants of the file: export with static shapes, or bind dimensions with --dim";
const rounded = "no protocol rounds: apply it to values that one party knows, or remove it before the export";
const branches = "a secret cannot choose a branch: compute both, and select between their results with Where";

/** The nearest rewrite by operator, for diagnostics without help of their own. */
const rewrites: Readonly<Record<string, string>> = {
  NonZero: oneShape,
  Compress: oneShape,
  Unique: oneShape,
  Reshape: sizes,
  Expand: sizes,
  Tile: sizes,
  Range: sizes,
  Slice: `${sizes}; use Gather for a secret index`,
  Pad: sizes,
  Resize: sizes,
  ConstantOfShape: sizes,
  Floor: rounded,
  Ceil: rounded,
  Round: rounded,
  Mod: rounded,
  If: branches,
  Loop: "the number of iterations must be known: unroll the loop before the export to its maximum",
  ScatterND: "indices must be known: write Where(mask, update, data), with the mask from Equal and a range of indices",
  GatherND: "combine the coordinates into one index, and use Gather on the reshaped data",
  IsNaN: "remove it: fixed point has no NaN",
  IsInf: "remove it: fixed point has no infinity",
  Pow: "make the exponent a constant of the file, or write Exp(Mul(y, Log(x)))",
};

/** Codes whose own help does not depend on the operator. */
const general: ReadonlySet<string> = new Set(["MRL0502", "MRL0520"]);

/** Adds node, operator and layer to the diagnostics of a node, and help to all. */
export function blockersFrom(diagnostics: readonly Diagnostic[], { graph }: OnnxModel): readonly Blocker[] {
  // Later stages know only the name of the node.
  const nodes = new Map(graph.nodes.map((node) => [node.name, node]));
  return diagnostics.map((diagnostic) => {
    const found = parseBlocker(diagnostic);
    const node = nodes.get(diagnostic.at ?? "");
    const layer = node && nodeLayer(node);
    const placed = node ? { ...found, node: node.name, operator: node.op, ...(layer && { layer }) } : found;
    const rewrite = Object.hasOwn(rewrites, placed.operator ?? "") ? rewrites[placed.operator!] : undefined;
    const isGeneral = placed.help === undefined || general.has(placed.code);
    return isGeneral && rewrite !== undefined ? { ...placed, help: rewrite } : withHelp(placed);
  });
}
