import type { Finding } from "./finding.ts";
import type { ParsedModule } from "./parse-mir.ts";
import type { ParsedProgramText } from "./parse-program.ts";
import type { ParsedManifest } from "./read-manifest.ts";
import type { ValueFlow } from "./track-values.ts";

/** The tensor of the model, without the scale at which a program takes it. */
export const sourceTensor = (tensor: string): string => tensor.replace(/@-?\d+$/, "");

/** A folded tensor is called after those that it was folded from: `W*gain`, `A|B`. */
const tensorParts = (tensor: string): readonly string[] => tensor.split(/[*|]/);

/** A program does what the manifest promises: its owners, its inputs, and what is opened to whom. */
export function compareWithManifest(
  program: ParsedProgramText,
  flow: ValueFlow,
  manifest: ParsedManifest,
  file: string,
): readonly Finding[] {
  const messages: string[] = [];
  for (const [what, mine, theirs] of [
    ["setting", program.setting, manifest.setting],
    ["program.mir", program.hash, manifest.programHash],
    ["name", program.name, manifest.name],
  ] as const) {
    if (mine !== theirs) messages.push(`the ${what} is ${mine}; the manifest says ${theirs}`);
  }
  messages.push(...weightMismatches(program, manifest), ...inputMismatches(program, manifest));
  const promised = manifest.reveals.map(({ value, to, shape }) => `${value} [${shape.join(", ")}] to the ${to}`).sort();
  const opened = flow.opened.map(({ value, to, shape }) => `${value} [${shape.join(", ")}] to the ${to}`).sort();
  for (const each of opened) if (!promised.includes(each)) messages.push(`opens ${each}; the manifest does not say so`);
  for (const each of promised) if (!opened.includes(each)) messages.push(`does not open ${each}; the manifest says so`);
  if (opened.length !== promised.length) messages.push(`opens ${opened.length} values, not ${promised.length}`);
  return messages.map((message) => ({ code: "MRL0910", message, at: file }));
}

/** Nothing of the server's may be used as if both knew it; whatever is public is so by its digest. */
function weightMismatches({ weights }: ParsedProgramText, manifest: ParsedManifest): readonly string[] {
  const labels = new Map(manifest.weights.map(({ name, label }) => [name, label]));
  const undigested = manifest.weights
    .filter(({ label, sha256 }) => (label === "public") !== (sha256 !== undefined))
    .map(({ name, label }) => `weight ${name} is ${label} ${label === "public" ? "without" : "with"} a digest`);
  const odd = manifest.weights
    .filter(({ label }) => label !== "public" && label !== "server")
    .map(({ name, label }) => `weight ${name} belongs to "${label}"`);
  const wrong = [...weights.values()].flatMap(({ form, tensor }) => {
    const name = sourceTensor(tensor);
    const secret = labels.has(name)
      ? labels.get(name) !== "public"
      : tensorParts(name).some((part) => labels.get(part) === "server");
    const taken = form === "public" || form === "disclosed";
    if (taken && secret) return [`${name} is used as if both knew it; it is the server's`];
    return form === "server" && labels.get(name) === "public" ? [`${name} is used as the server's; it is public`] : [];
  });
  return [...undigested, ...odd, ...wrong];
}

/** Whoever owns a weight in the manifest owns it in the module that is executed. */
export function compareOwners({ params }: ParsedModule, manifest: ParsedManifest, file: string): readonly Finding[] {
  const labels = new Map(manifest.weights.map(({ name, label }) => [name, label]));
  return [...params.values()].flatMap(({ tensor, type: { label } }) => {
    const listed = labels.get(tensor) ?? label;
    if (listed === label) return [];
    return [{ code: "MRL0910", message: `${tensor} belongs to ${label}; the manifest says ${listed}`, at: file }];
  });
}

/** What the client shares is what the manifest calls cuts, computed from what is its own or public. */
function inputMismatches({ inputs }: ParsedProgramText, manifest: ParsedManifest): readonly string[] {
  const cuts = new Map(manifest.cuts.map(({ value, shape }) => [value, shape.join()]));
  const wrong = [...inputs].filter(([name, { shape }]) => cuts.get(name) !== shape.join()).map(([name]) => name);
  const missing = [...cuts.keys()].filter((name) => !inputs.has(name));
  const labels = new Map(manifest.inputs.map(({ name, label }) => [name, label]));
  const foreign = manifest.cuts.filter(({ tensor }) => !["client", "public", undefined].includes(labels.get(tensor)));
  return [
    ...wrong.map((name) => `input ${name} is no cut of the manifest, or of another shape`),
    ...missing.map((name) => `cut ${name} of the manifest is no input of the program`),
    ...foreign.map(({ tensor }) => `the client is to share ${tensor}, which is not its own`),
  ];
}
