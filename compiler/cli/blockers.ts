import { groupBy } from "lodash-es";
import { formatDiagnostic, printable } from "../../ir/diagnostic.ts";
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

/** Groups blockers by reason: prints the first of each group, and the locations of all. */
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
      `${formatDiagnostic({ code: plain.code, message: plain.message })}${all.length > 1 ? ` (${all.length} times)` : ""}`,
      ...indented("at", listed),
      ...indented("because", because.map(printable)),
      ...indented("help", help === undefined ? [] : [printable(help)]),
    ];
  });
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
  const summary = `FAILED: ${count(blockers.length, "blocker")}, ${count(groups.length, "reason")}`;
  return [...lines, summary];
}
