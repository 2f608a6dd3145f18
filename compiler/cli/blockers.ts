import groupBy from "lodash-es/groupBy.js";
import uniqBy from "lodash-es/uniqBy.js";
import { counted } from "../../ir/counted.ts";
import { type Diagnostic, formatDiagnostic } from "../../ir/diagnostic.ts";
import { printable } from "../../ir/printable.ts";
import type { Blocker } from "../report/text/index.ts";

/** Locations printed for one reason; `--json` has all. */
const maxLocations = 6;

/** A blocker without the parts that differ between equal layers: names of values and weights, and numbers. */
const reasonOf = ({ code, operator = "", message, help = "" }: Blocker): string =>
  [code, operator, message.replace(/%[\w.:/-]+|"[^"]*"/g, "%").replace(/-?\d[\d.]*(e[+-]?\d+)?/g, "#"), help].join(
    "\n",
  );

const locationText = ({ node, operator, layer, at }: Blocker): string =>
  node === undefined ? (at ?? "") : `node "${node}" (${operator})${layer ? `, layer ${layer}` : ""}`;

/** The first of diagnostics with one reason, and the locations of all. */
function groupLines(all: readonly Blocker[]): readonly string[] {
  const { at: _, because = [], help, code, message } = all[0]!;
  const locations = [...new Set(all.map(locationText))].filter((location) => location !== "");
  const more = locations.length - maxLocations;
  const listed = [
    ...locations.slice(0, maxLocations).map(printable),
    ...(more > 0 ? [`… and ${more} more: --json has all`] : []),
  ];
  const indented = (title: string, texts: readonly string[]): readonly string[] =>
    texts.map((text, index) => `  ${(index === 0 ? title : "").padEnd(8)}${text}`);
  return [
    `${formatDiagnostic({ code, message })}${all.length > 1 ? ` (${all.length} times)` : ""}`,
    ...indented("at", listed),
    ...indented("because", because.map(printable)),
    ...indented("help", help === undefined ? [] : [printable(help)]),
  ];
}

/** Groups blockers by reason: prints the first of each group, and the locations of all. */
export function blockerLines(blockers: readonly Blocker[]): readonly string[] {
  const groups = Object.values(groupBy(blockers, reasonOf));
  const summary = `FAILED: ${counted(blockers.length, "blocker")}, ${counted(groups.length, "reason")}`;
  return [...groups.flatMap(groupLines), summary];
}

/** Values of the module, which the place of a diagnostic names better, and figures; a number within a name is none. */
const varying = /%[\w.:/-]+|(?<![\w.:/-])-?\d[\d.]*(e[+-]?\d+)?(?![\w:/-])/g;

const commonOf = ({ code, message, because = [], help = "" }: Diagnostic): string =>
  [code, ...[message, ...because].map((text) => text.replace(varying, "#")), help].join("\n");

/** Diagnostics as text: those that only their places and figures tell apart are printed once, with their places. */
export function diagnosticLines(diagnostics: readonly Diagnostic[]): readonly string[] {
  const groups = Object.values(groupBy(uniqBy(diagnostics, formatDiagnostic), commonOf));
  return groups.flatMap((all) =>
    all.length > 1 && all.every(({ at }) => at !== undefined) ? groupLines(all) : all.map(formatDiagnostic),
  );
}
