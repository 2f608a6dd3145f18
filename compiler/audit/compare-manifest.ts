import type { Finding } from "./finding.ts";
import type { ParsedModule } from "./parse-mir.ts";
import type { ParsedProgramText, ParsedShareType } from "./parse-program.ts";
import type { ParsedManifest, ParsedShared } from "./read-manifest.ts";
import { securityTexts } from "./security-texts.ts";
import type { ValueFlow } from "./track-values.ts";
import { createNameReader, sourceTensor } from "./weight-names.ts";

/** Checks that a program does what the manifest promises: its owners, its inputs, and what is opened to whom. */
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
  const promise = securityTexts.get(manifest.setting);
  if (promise === undefined) messages.push(`there is no setting ${JSON.stringify(manifest.setting)}`);
  else if (manifest.security !== promise)
    messages.push(`the manifest says of security ${JSON.stringify(manifest.security)}, not "${promise}"`);
  messages.push(...weightMismatches(program, manifest), ...inputMismatches(program, manifest));
  const guard = manifest.guard ? [{ value: manifest.guard.value, to: "client", shape: [] }] : [];
  const promised = [...manifest.reveals, ...guard]
    .map(({ value, to, shape }) => `${value} [${shape.join(", ")}] to the ${to}`)
    .sort();
  const opened = flow.opened.map(({ value, to, shape }) => `${value} [${shape.join(", ")}] to the ${to}`).sort();
  for (const each of opened) if (!promised.includes(each)) messages.push(`opens ${each}; the manifest does not say so`);
  for (const each of promised) if (!opened.includes(each)) messages.push(`does not open ${each}; the manifest says so`);
  if (opened.length !== promised.length) messages.push(`opens ${opened.length} values, not ${promised.length}`);
  messages.push(...passedMismatches(program, flow, manifest));
  return messages.map((message) => ({ code: "MRL0910", message, at: file }));
}

const sharedText = ({ value, shape, width, scale, range }: ParsedShared): string =>
  `${value} [${shape.join(", ")}] in shares of ${width} bits, ${scale} of them fractional, within [${range.join(", ")}]`;

/** What passes between programs in shares is what the manifest says, which the next program relies on. */
function passedMismatches(
  { inputs }: ParsedProgramText,
  { kept }: ValueFlow,
  { sharedInputs = [], sharedOutputs = [] }: ParsedManifest,
): readonly string[] {
  const described = (value: string, { shape, width, scale, lo, hi }: ParsedShareType): string =>
    sharedText({ value, tensor: "", shape, width, scale, range: [lo, hi] });
  const taken = [...inputs].filter(([, { of }]) => of === "shared").map(([name, type]) => described(name, type));
  const pairs = [
    ["keeps", kept.map(({ value, type }) => described(value, type)), sharedOutputs.map(sharedText)],
    ["takes over", taken, sharedInputs.map(sharedText)],
  ] as const;
  return pairs.flatMap(([verb, found, promised]) => [
    ...found.filter((each) => !promised.includes(each)).map((each) => `${verb} ${each}; the manifest does not say so`),
    ...promised.filter((each) => !found.includes(each)).map((each) => `the manifest says that it ${verb} ${each}`),
    ...(found.length === promised.length ? [] : [`${verb} ${found.length} values, not ${promised.length}`]),
  ]);
}

/** Checks that no private weight is used as public; a public weight needs its digest. */
function weightMismatches({ weights }: ParsedProgramText, manifest: ParsedManifest): readonly string[] {
  const labels = new Map(manifest.weights.map(({ name, label }) => [name, label]));
  const weightsIn = createNameReader([...labels.keys()]);
  const undigested = manifest.weights
    .filter(({ label, sha256 }) => (label === "public") !== (sha256 !== undefined))
    .map(({ name, label }) => `weight ${name} is ${label} ${label === "public" ? "without" : "with"} a digest`);
  const odd = manifest.weights
    .filter(({ label }) => label !== "public" && label !== "server")
    .map(({ name, label }) => `weight ${name} belongs to "${label}"`);
  const wrong = [...weights.values()].flatMap(({ form, tensor }) => {
    const name = sourceTensor(tensor);
    const secret = weightsIn(tensor).names.some((each) => labels.get(each) !== "public");
    const taken = form === "public" || form === "disclosed";
    if (taken && secret) return [`${name} is used as public, but it is private to the server`];
    return form === "server" && labels.get(name) === "public"
      ? [`${name} is used as private to the server, but it is public`]
      : [];
  });
  return [...undigested, ...odd, ...wrong];
}

/** The owner of a weight is the same in the manifest and in the executed module. */
export function compareOwners({ params }: ParsedModule, manifest: ParsedManifest, file: string): readonly Finding[] {
  const labels = new Map(manifest.weights.map(({ name, label }) => [name, label]));
  return [...params.values()].flatMap(({ tensor, type: { label } }) => {
    const listed = labels.get(tensor) ?? label;
    if (listed === label) return [];
    return [{ code: "MRL0910", message: `${tensor} belongs to ${label}; the manifest says ${listed}`, at: file }];
  });
}

/**
 * The list of what private weights made public counts itself right, and the module keeps to it: no range is wider than
 * its published bound.
 */
export function comparePublished(
  { inputs, params, steps }: ParsedModule,
  manifest: ParsedManifest,
  file: string,
): readonly Finding[] {
  const published = manifest.calibration?.published;
  if (!published) return [];
  const ranges = new Map([
    ...[...inputs].map(([name, { range }]) => [name, range] as const),
    ...[...params].map(([name, { type }]) => [name, type.range] as const),
    ...steps.flat().map(({ result, type: { range } }) => [result, range] as const),
  ]);
  const { integers, bounds } = published;
  const wide = bounds.filter(({ value, bound, exponent }) => {
    const range = ranges.get(value);
    return (
      (bound === "magnitude" || bound === "weight") &&
      range !== undefined &&
      Math.max(-range[0], range[1]) > 2 ** exponent
    );
  });
  // Beside a list of what is published, an error that it does not have would be a number more.
  const tensors = new Map(manifest.reveals.map(({ value, tensor }) => [value, tensor]));
  const listed = bounds.filter(({ bound }) => bound === "error");
  const unlisted = (manifest.errors ?? []).filter(
    ({ tensor, declared }) =>
      !listed.some(({ value, exponent }) => tensors.get(value) === tensor && declared === 2 ** exponent),
  );
  const unlistedDecisions = (manifest.decisions ?? []).filter(
    ({ value, distance }) =>
      !bounds.some((each) => each.bound === "distance" && each.value === value && distance === 2 ** each.exponent),
  );
  const messages = [
    ...unlisted.map(({ tensor }) => `the error of ${tensor} is not among the integers that the manifest publishes`),
    ...unlistedDecisions.map(({ at }) => `the distance of ${at} is not among the integers that the manifest publishes`),
    ...(integers === bounds.length
      ? []
      : [`the manifest counts ${integers} published integers and lists ${bounds.length}`]),
    ...wide.map(({ value, exponent }) => `${value} leaves the bound 2^${exponent} that the manifest publishes`),
  ];
  return messages.map((message) => ({ code: "MRL0910", message, at: file }));
}

/** Each party shares exactly its cuts of the manifest, within their bounds, computed from its own or public values. */
function inputMismatches({ inputs }: ParsedProgramText, manifest: ParsedManifest): readonly string[] {
  const { cuts, serverCuts = [], sharedInputs = [] } = manifest;
  const said = (
    { value, shape }: Pick<ParsedManifest["cuts"][number], "value" | "shape">,
    of: string,
  ): [string, string] => [value, `${of} ${shape.join()}`];
  const promised = new Map([
    ...cuts.map((cut) => said(cut, "client")),
    ...serverCuts.map((cut) => said(cut, "server")),
    ...sharedInputs.map((each) => said(each, "shared")),
  ]);
  const wrong = [...inputs].filter(
    ([name, { shape, of = "client" }]) => promised.get(name) !== `${of} ${shape.join()}`,
  );
  const missing = [...promised.keys()].filter((name) => !inputs.has(name));
  const bounded = [...cuts, ...serverCuts].filter(({ value, rows, range }) => {
    const said = inputs.get(value);
    return said && rows === undefined && (range?.[0] !== said.lo || range[1] !== said.hi);
  });
  const labels = new Map(manifest.inputs.map(({ name, label }) => [name, label]));
  const foreign = (
    own: readonly { readonly tensor: string }[],
    owners: readonly (string | undefined)[],
    party: string,
  ) =>
    own
      .filter(({ tensor }) => !owners.includes(labels.get(tensor)))
      .map(({ tensor }) => `the ${party} would share ${tensor}, which it does not own`);
  return [
    ...wrong.map(([name]) => `input ${name} is not a cut of the manifest, or has another shape or owner`),
    ...missing.map((name) => `cut ${name} of the manifest is not an input of the program`),
    ...bounded.map(({ value }) => `the bounds of input ${value} are not those of the manifest`),
    ...(cuts.length + serverCuts.length + sharedInputs.length === promised.size
      ? []
      : ["the manifest names a cut twice"]),
    ...foreign(cuts, ["client", "public", undefined], "client"),
    ...foreign(serverCuts, ["server", undefined], "server"),
    ...foreign(sharedInputs, ["shared"], "parties"),
  ];
}
