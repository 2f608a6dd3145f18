import type { Share } from "../../core/index.ts";
import { shiftRightRounded } from "../../ring/index.ts";
import { defineProtocol } from "../kit/index.ts";

/**
 * Free truncate-and-reduce: each party shifts its own share, and the ring loses the shifted bits (TR-LOCAL,
 * protocols.md 1.2). Nothing is sent, and no large error can occur: a wrap of the shares is a multiple of 2^width and
 * becomes a multiple of 2^(width − by), which is 0 in the smaller ring. Each share is rounded, so the error is centred.
 * One party rounds halves up and the other down: low bits that add up to 2^by give one, so a multiple of 2^by is exact.
 * The rounding bit is the carry of the low bits of the shares, not an independent coin (docs/protocols/truncation.md).
 */
export const localTruncate = defineProtocol({
  name: "local.truncate",
  implements: "truncate",
  settings: ["2pc-dealer", "3pc", "2pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/truncation.md; probabilistic truncation after SecureML (Mohassel, Zhang, S&P 2017)",
  accuracy: { ulps: () => 1 },
  forms: ["share"],
  yields: "share",
  operandWidths: ({ result, attrs }) => [result.width + Number(attrs.by)],
  *run(party, spec, x) {
    const half = party.role === "server" ? "down" : "up";
    return {
      kind: "share",
      tensor: shiftRightRounded((x as Share).tensor, Number(spec.attrs.by), half),
    } satisfies Share;
  },
});
