import { counted } from "../../../ir/counted.ts";
import { type Label, labels } from "../../../ir/label.ts";
import { sizeOf } from "../../../ir/type.ts";
import { folderOf, type Manifest, type SharedValueManifest } from "../../build/index.ts";
import { noParameterName } from "../../ownership/index.ts";
import { usedDirections } from "../../run/index.ts";
import { layerName } from "../cost/index.ts";
import { bytesText } from "./format-units.ts";
import { optimizationTargetText } from "./optimization-target.ts";
import { textTable } from "./text-table.ts";
import { decisionsText, declaredErrorsText } from "./verified-text.ts";

type FileSizes = readonly (readonly [path: string, bytes: number])[];

/** Output of `compile --json`. */
export const buildJson = (manifest: Manifest, files: FileSizes, directory: string) => ({
  schema: 1,
  directory,
  name: manifest.name,
  setting: manifest.setting,
  security: manifest.security,
  caveats: manifest.caveats,
  truncation: manifest.truncation,
  chosenFor: manifest.chosenFor,
  inexact: manifest.inexact,
  programHash: manifest.programHash,
  artefactsHash: manifest.artefactsHash,
  predicted: manifest.predicted,
  files: Object.fromEntries(files),
});

/** The summary that `compile` prints. */
export function buildText(manifest: Manifest, files: FileSizes, directory: string): string {
  const folder = (role: string): number =>
    files.filter(([path]) => path.startsWith(`${folderOf(role)}/`)).reduce((sum, [, bytes]) => sum + bytes, 0);
  const rows = Object.entries(manifest.roles).map(([role, does]) => [role, bytesText(folder(role)), does]);
  const head = `${directory}: ${manifest.name}, program ${manifest.programHash.slice(0, 12)}`;
  return `${head}\n\n${textTable([{ title: "party" }, { title: "folder", right: true }, { title: "does" }], rows)}\n${ownersText(manifest)}\n${declaredErrorsText(manifest.errors, manifest.numerics)}${decisionsText(manifest.decisions)}${wrapText(manifest.calibration)}\n${statementText(manifest)}\n${phasesText(manifest)}`;
}

/** Number of names shown of a list that may have two for each layer. */
const maxNames = 8;

/** One line on outputs that are not computed; empty if there are none. */
export function omittedOutputsText(omitted: readonly string[]): string {
  if (omitted.length === 0) return "";
  const more = omitted.length > maxNames ? `, … (${omitted.length} in all)` : "";
  return `not computed: ${omitted.slice(0, maxNames).join(", ")}${more}; no --reveal names them\n`;
}

/** The summary of a manifest that `inspect` prints. */
export function manifestText(manifest: Manifest): string {
  const head = `${manifest.name}, program ${manifest.programHash}\nartefacts ${manifest.artefactsHash}\nmade by ${manifest.compiler}, calibrated on ${manifest.calibration.source} (${counted(manifest.calibration.samples, "sample")})`;
  return [
    head,
    `${declaredErrorsText(manifest.errors, manifest.numerics)}${decisionsText(manifest.decisions)}${wrapText(manifest.calibration)}`,
    statementText(manifest),
    dataFlowText(manifest),
    ringsText(manifest),
    phasesText(manifest),
    weightsText(manifest),
  ].join("\n\n");
}

type WrapFacts = Partial<Pick<Manifest["calibration"], "samples" | "published">> & {
  readonly wrap?: Manifest["calibration"]["wrap"] | undefined;
};

/** How likely a query leaves its bounds; see `Manifest.calibration`. */
export function wrapText({ wrap, samples = 0, published }: WrapFacts): string {
  const unknown = "probability that a query leaves its bounds: unknown";
  if (!wrap && samples === 0) return `${unknown}, without samples to estimate it`;
  if (!wrap && published)
    return `${unknown} to the public: with published ranges an estimate follows from private weights`;
  if (!wrap) return `${unknown}, without a public base: initial values in place of trained weights say nothing of it`;
  const { runs, probability, at } = wrap;
  if (probability === undefined)
    return `probability that a query leaves its bounds: unknown, ${runs} calibration samples are too few to estimate it`;
  const where = at === undefined ? "" : `, most likely at ${at}`;
  return `probability that a query like the calibration inputs leaves its bounds: ${probability}${where} (extreme-value fit, ${runs} samples)`;
}

function ownersText({ weights }: Manifest): string {
  const line = (label: Label): string[] => {
    const owned = weights.filter((weight) => weight.label === label);
    if (owned.length === 0) return [];
    const values = owned.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    return [`${label} ${counted(values, "value")} in ${counted(owned.length, "tensor")}`];
  };
  return [`weights: ${labels.flatMap(line).join(", ") || "none"}`, ...unnamedText(weights)].join("\n");
}

/** Private weights that no option names: the reader may have meant only those of a pattern. */
function unnamedText(weights: Manifest["weights"]): readonly string[] {
  const unnamed = weights.filter(({ label, why }) => label === "server" && why.startsWith(noParameterName));
  const [first] = unnamed;
  if (!first) return [];
  const names = unnamed.map(({ name }) => name);
  const more = names.length > maxNames ? `, … (${names.length} in all)` : "";
  return [
    `  private though no option names them: ${names.slice(0, maxNames).join(", ")}${more}; ${first.why}. A --base that has them, or --public '${first.name}', makes them public`,
  ];
}

/** Which part of the model runs where, with the tensors at its boundaries. */
export function placementText({
  weights,
  cuts,
  serverCuts = [],
  sharedInputs = [],
  sharedOutputs = [],
  reveals,
  tails,
}: Manifest): string {
  const layers = [...new Set(weights.filter(({ label }) => label === "server").map(({ name }) => layerName(name)))];
  const names = (tensors: readonly string[]): string =>
    tensors.map((tensor) => tensor.replace(/_output_0$/, "")).join(", ");
  const shown = layers.filter((layer) => layer !== "").join(", ") || "the whole model";
  return [
    `in the clear, at the client:   everything before ${names(cuts.map(({ tensor }) => tensor))}`,
    ...(serverCuts.length > 0
      ? [`in the clear, at the server:   everything before ${names(serverCuts.map(({ tensor }) => tensor))}`]
      : []),
    ...(sharedInputs.length > 0
      ? [`taken over in shares:          ${names(sharedInputs.map(({ tensor }) => tensor))}`]
      : []),
    `under MPC, client and server:  from there on, with the private weights of ${shown}`,
    `opened:                        ${reveals.map(({ tensor, to }) => `${tensor} to the ${to}`).join(", ") || "nothing"}`,
    ...(sharedOutputs.length > 0
      ? [`stays shared:                  ${sharedOutputs.map(({ tensor }) => tensor).join(", ")}`]
      : []),
    ...tails.map(({ from, output }) => `in the clear, at the client:   ${output} from ${from}`),
  ].join("\n");
}

/** Whether text is generated position by position, what a position costs, and why a part runs over the full context. */
export function generationText(
  { decode }: Manifest,
  decodeReason: string | undefined,
  clientReason: string | undefined,
): string {
  if (decode) {
    const head = `decode: one position at a time with cached keys and values; the last of ${decode.places} positions costs`;
    const note = clientReason === undefined ? "" : `\n  note: ${clientReason}`;
    const shorter = (decode.windows ?? []).map(
      (each) => `\nprefill of ${each.places} positions, for prompts that are no longer\n${phasesText(each)}`,
    );
    return `${head}\n${phasesText(decode)}${note}${shorter.join("")}`;
  }
  return decodeReason === undefined ? "" : `decode: none, ${decodeReason}`;
}

const statementText = ({ setting, security, truncation, chosenFor, inexact, caveats }: Manifest): string =>
  [
    `${setting}: ${security}; truncation ${truncation}`,
    `not exact: ${inexact.map(({ operator, count }) => `${operator} (${count})`).join(", ") || "nothing"}`,
    optimizationTargetText(chosenFor, setting),
    ...caveats.map((caveat) => `  note: ${caveat}`),
  ].join("\n");

function dataFlowText(manifest: Manifest): string {
  const {
    inputs,
    cuts,
    serverCuts = [],
    sharedInputs = [],
    sharedOutputs = [],
    reveals,
    tails,
    clientOutputs,
  } = manifest;
  const passed = ({ tensor, shape, width, scale, range: [lo, hi] }: SharedValueManifest): string =>
    `${tensor}  [${shape.join(", ")}]  in [${lo}, ${hi}], as shares of ${width} bits with ${scale} fractional ones`;
  const lines = [
    ...inputs.map(
      ({ name, label, type, shape }) =>
        `input   ${name}  ${type}[${shape.join(", ")}]  ${label === "shared" ? "as shares" : `of ${label}`}`,
    ),
    ...[...cuts, ...serverCuts].map(
      ({ tensor, shape, oneHot, rows, least }, k) =>
        `shared  ${tensor}  [${shape.join(", ")}]${k < cuts.length ? "" : "  by the server"}${oneHot ? `  as one-hot rows of ${oneHot}` : ""}${rows ? `  as indices into a table of ${rows} rows, by private lookup` : ""}${least === undefined ? "" : `  as a mask, at least ${least}`}`,
    ),
    ...sharedInputs.map((each) => `taken   ${passed(each)}`),
    ...sharedOutputs.map((each) => `kept    ${passed(each)}`),
    ...reveals.map(({ tensor, to, shape }) => `opened  ${tensor}  [${shape.join(", ")}]  to ${to}`),
    ...tails.map(({ from, output }) => `head    ${output} from ${from}, by the client`),
    ...clientOutputs.map((name) => `output  ${name}, by the client alone`),
  ];
  return lines.join("\n");
}

const ringsText = ({ rings }: Manifest): string =>
  `rings: ${rings.map(({ width, values }) => `${counted(values, "value")} of ${width} bits`).join(", ")}`;

/** A table of rounds and bytes by phase. */
export function phasesText({ predicted }: { readonly predicted: Partial<Manifest["predicted"]> }): string {
  const rows = Object.entries(predicted).map(([phase, { rounds, bytes }]) => [
    phase,
    rounds,
    usedDirections(bytes)
      .map(([link, count]) => `${link} ${bytesText(count)}`)
      .join(", "),
  ]);
  return textTable([{ title: "phase" }, { title: "rounds", right: true }, { title: "bytes" }], rows);
}

/** A table of all weights, their owners and the reasons. */
export function weightsText({ weights }: Manifest): string {
  const rows = weights.map(({ name, label, shape, why, sha256 }) => [
    name,
    `[${shape.join(", ")}]`,
    label,
    why,
    sha256?.slice(0, 12) ?? "",
  ]);
  const titles = ["weight", "shape", "known to", "why", "SHA-256"];
  return textTable(
    titles.map((title) => ({ title })),
    rows,
  );
}
