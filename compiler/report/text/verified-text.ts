import type { VerifiedOutput } from "../../run/index.ts";
import { textTable } from "./text-table.ts";

/** What `compile` prints of a verified build; empty if it was not verified. */
export function verifiedText(verified: readonly VerifiedOutput[] | undefined): string {
  if (!verified || verified.length === 0) return "";
  const short = (x: number | undefined): string => (x === undefined ? "" : x.toPrecision(2));
  const rows = verified.map(({ output, largest, secureError, plainError, declared, differing }) =>
    differing
      ? [output, short(largest), `${differing.count} of ${differing.of} differ`, "", ""]
      : [output, short(largest), short(secureError), short(plainError), short(declared)],
  );
  const numbers = ["largest value", "secure error", "plain error", "declared"].map((title) => ({
    title,
    right: true as const,
  }));
  return `\n${textTable([{ title: "output, against float64" }, ...numbers], rows)}`;
}
