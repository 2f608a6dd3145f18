import type { Manifest } from "../../build/index.ts";
import type { VerifiedOutput } from "../../run/index.ts";
import { textTable } from "./text-table.ts";

/** What `compile` prints of a verified build; empty if it was not verified. */
export function verifiedText(verified: readonly VerifiedOutput[] | undefined): string {
  if (!verified || verified.length === 0) return "";
  const short = (x: number | undefined): string => (x === undefined ? "" : x.toPrecision(2));
  const rows = verified.map(({ output, largest, differing, ...errors }) =>
    differing
      ? [output, short(largest), `${differing.count} of ${differing.of} differ`, "", "", ""]
      : [
          ...[output, short(largest), short(errors.secureError), short(errors.relativeError)],
          ...[short(errors.plainError), short(errors.declared)],
        ],
  );
  const numbers = ["largest value", "secure error", "relative", "plain error", "declared"].map((title) => ({
    title,
    right: true as const,
  }));
  return `\n${textTable([{ title: "output, against float64" }, ...numbers], rows)}`;
}

/** One line for each output whose error the manifest declares, or the reason why a preset has none. */
export function declaredErrorsText(errors: Manifest["errors"] = [], preset?: string): string {
  if (preset !== undefined && preset !== "marill")
    return `declared errors: none, since the approximations of --preset ${preset} are no part of them\n`;
  const part = (declared: number, largest: number): string =>
    largest > 0 ? `, ${(declared / largest).toPrecision(2)} of the largest value on public inputs` : "";
  return errors
    .map(
      ({ tensor, declared, largest }) =>
        `declared error of ${tensor}: ${declared}${part(declared, largest)} (with public weights)\n`,
    )
    .join("");
}
