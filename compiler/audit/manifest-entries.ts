import type { Finding } from "./finding.ts";
import type { ParsedModule } from "./parse-mir.ts";
import type { ParsedProgramText } from "./parse-program.ts";
import type { ParsedManifest } from "./read-manifest.ts";

/**
 * Checks that lists of the manifest name a thing once, so that no second entry says otherwise, and list errors of
 * outputs and integers of public tensors that programs use, and no others.
 */
export function checkManifestEntries(
  programs: readonly ParsedProgramText[],
  manifest: ParsedManifest,
): readonly Finding[] {
  const { weights, inputs, integers = [], constants, reveals, sharedOutputs = [] } = manifest;
  const { errors = [], decisions = [] } = manifest;
  const lists: readonly (readonly [what: string, names: readonly string[]])[] = [
    ["weight", weights.map(({ name }) => name)],
    ["input", inputs.map(({ name }) => name)],
    ["integers of", integers.map(({ tensor }) => tensor)],
    ["constant", constants.map(({ name, sha256 }) => `${name} of ${sha256}`)],
    ["output", reveals.map(({ value, to }) => `${value} to the ${to}`)],
    ["error of", errors.map(({ tensor }) => tensor)],
    ["decision", decisions.map(({ value }) => value)],
  ];
  const open = new Set(
    programs.flatMap((program) =>
      [...program.weights.values()].flatMap(({ form, tensor }) =>
        form === "public" || form === "disclosed" ? [tensor] : [],
      ),
    ),
  );
  const idle = integers.filter(({ tensor }) => !open.has(tensor));
  const outputs = new Set([...reveals, ...sharedOutputs].map(({ tensor }) => tensor));
  const foreign = errors.filter(({ tensor }) => !outputs.has(tensor));
  const messages = [
    ...foreign.map(({ tensor }) => `the manifest declares an error of ${tensor}, which is no output`),
    ...lists.flatMap(([what, names]) => doubled(names).map((name) => `the manifest lists ${what} ${name} twice`)),
    ...idle.map(({ tensor }) => `no program uses ${tensor}, whose integers the manifest lists`),
  ];
  return messages.map((message) => ({ code: "MRL0910", message, at: "manifest.json" }));
}

function doubled(names: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return [...new Set(names.filter((name) => seen.has(name) || !seen.add(name)))];
}

/** How many shared values have which ring: the manifest says so of the first program. */
export function checkRings({ inputs, steps }: ParsedModule, { rings }: ParsedManifest): readonly Finding[] {
  if (!rings) return [];
  const counts = new Map<number, number>();
  for (const { label, element } of [...inputs.values(), ...steps.flat().map(({ type }) => type)]) {
    const width = Number(/^fx(\d+)\./.exec(element)?.[1]);
    if (label === "shared" && !Number.isNaN(width)) counts.set(width, (counts.get(width) ?? 0) + 1);
  }
  const text = (all: readonly (readonly [number, number])[]): string =>
    all.map(([width, values]) => `${values} of ${width} bits`).join(", ");
  const said = text(rings.map(({ width, values }) => [width, values]));
  const found = text([...counts].sort(([a], [b]) => a - b));
  if (said === found) return [];
  const message = `the manifest says that shared values are ${said}; program.mir has ${found}`;
  return [{ code: "MRL0910", message, at: "manifest.json" }];
}
