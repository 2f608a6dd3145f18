import type { Finding } from "./finding.ts";
import type { ParsedManifest } from "./read-manifest.ts";
import type { ValueFlow } from "./track-values.ts";

/** Systems whose numerics `--preset` rebuilds, with the truncations of their authors. */
const presets: readonly string[] = [
  ...["bumblebee", "crypten", "mpcformer", "mpcformer-2relu", "puma", "secformer", "shaft", "sigma", "sirnn"],
];

/** The published system whose numerics a build has; undefined: marillc's own. */
export const presetOf = ({ numerics = "marill" }: ParsedManifest): string | undefined =>
  numerics === "marill" ? undefined : numerics;

/** With numerics of our own, a faithful truncation is the last before every opening. */
export function checkRounding({ unfaithful }: ValueFlow, manifest: ParsedManifest, file: string): readonly Finding[] {
  const preset = presetOf(manifest);
  if (preset !== undefined && presets.includes(preset)) return [];
  return [
    ...(preset === undefined ? [] : [`the numerics ${JSON.stringify(preset)} are of no system that marillc rebuilds`]),
    ...[...unfaithful].map(
      ([value, protocols]) =>
        `${value} is opened as ${[...protocols].sort().join(", ")} rounded it, with no faithful truncation behind`,
    ),
  ].map((message) => ({ code: "MRL0917", message, at: file }));
}
