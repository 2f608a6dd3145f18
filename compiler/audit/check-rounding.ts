import type { Finding } from "./finding.ts";
import type { ParsedManifest } from "./read-manifest.ts";
import type { ValueFlow } from "./track-values.ts";

const inOneRing = ["sameRingTruncate"];
/**
 * Systems whose numerics `--preset` rebuilds, and the truncations of their authors that are not faithful and that an
 * opening shows. A test compares them with what the compiler builds.
 */
const presets: ReadonlyMap<string, readonly string[]> = new Map([
  ["bumblebee", inOneRing],
  ["crypten", inOneRing],
  ["mpcformer", inOneRing],
  ["mpcformer-2relu", inOneRing],
  ["puma", ["replicatedTruncate"]],
  ["secformer", inOneRing],
  ["shaft", inOneRing],
  ["sigma", []],
  ["sirnn", []],
]);

/** The published system whose numerics a build has; undefined: marillc's own. */
export const presetOf = ({ numerics = "marill" }: ParsedManifest): string | undefined =>
  numerics === "marill" ? undefined : numerics;

/**
 * A faithful truncation is the last before every opening, except where the system whose numerics a build has ends in
 * another one: then in that one alone.
 */
export function checkRounding({ unfaithful }: ValueFlow, manifest: ParsedManifest, file: string): readonly Finding[] {
  const preset = presetOf(manifest);
  const own = presets.get(preset ?? "");
  const unknown = preset !== undefined && !own;
  return [
    ...(unknown ? [`the numerics ${JSON.stringify(preset)} are of no system that marillc rebuilds`] : []),
    ...[...unfaithful].flatMap(([value, protocols]) => {
      const strange = [...protocols].filter((protocol) => !own?.includes(protocol)).sort();
      const whose = own ? `, which is not how ${preset} truncates` : "";
      return strange.length === 0
        ? []
        : [`${value} is opened as ${strange.join(", ")} rounded it, with no faithful truncation behind${whose}`];
    }),
  ].map((message) => ({ code: "MRL0917", message, at: file }));
}
