import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import { nodeLayer } from "../onnx/weights/index.ts";
import { type Blocker, parseBlocker } from "../report/text/index.ts";
import { withHelp } from "./help.ts";

const oneShape =
  "its shape depends on data, and a program has one shape: keep the full length, and mark what counts with Where or Mul";
const sizes = "make its sizes numbers of the file: export with static shapes, or bind dimensions with --dim";
const rounded = "no protocol rounds: keep it on values that one party knows, or leave it out before the export";
const branches = "what is secret chooses no branch: compute both, and choose between their results with Where";

/** The nearest rewrite, by the operator of the node, where the diagnostic itself has none. */
const rewrites: Readonly<Record<string, string>> = {
  NonZero: oneShape,
  Compress: oneShape,
  Unique: oneShape,
  Reshape: sizes,
  Expand: sizes,
  Tile: sizes,
  Range: sizes,
  Slice: `${sizes}; a place that is secret is chosen by Gather`,
  Pad: sizes,
  Resize: sizes,
  ConstantOfShape: sizes,
  Floor: rounded,
  Ceil: rounded,
  Round: rounded,
  Mod: rounded,
  If: branches,
  Loop: "the number of rounds must be known: unroll the loop before the export, as many times as it ever runs",
  ScatterND: "places must be known: write Where(mask, update, data), the mask from Equal with a range of places",
  GatherND: "join the coordinates to one place, and use Gather on the reshaped data",
  IsNaN: "leave it out: fixed point has no NaN",
  IsInf: "leave it out: fixed point has no infinity",
  Pow: "make the exponent a constant of the file, or write Exp(Mul(y, Log(x)))",
};

/** Codes whose help knows nothing of the operator. */
const general: ReadonlySet<string> = new Set(["MRL0502", "MRL0520"]);

/** Every blocker with node, operator and layer, where it is one of a node, and with what to do. */
export function blockersFrom(diagnostics: readonly Diagnostic[], { graph }: OnnxModel): readonly Blocker[] {
  // Later stages know the name of the node alone.
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
