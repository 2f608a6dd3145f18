import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { presets } from "../../passes/3-approximate/index.ts";
import type { Setting } from "../../runtime/protocols/kit/index.ts";
import type { LinkProfile } from "../../runtime/transport/index.ts";
import type { ChosenFor } from "../build/index.ts";
import type { ShapeOptions } from "../estimate/index.ts";
import {
  architectures,
  checkGroups,
  countShape,
  parseOwnership,
  type ShapeName,
  shapeNames,
  withAdapters,
} from "../estimate/index.ts";
import { settle } from "../load/index.ts";
import type { CostReport } from "../report/cost/index.ts";
import type { Options } from "./command.ts";
import { countOf, dimsOf, readUsage } from "./values.ts";

const isShape = (name: string): name is ShapeName => (shapeNames as readonly string[]).includes(name);

/** Options that are said of a model file. */
const ofModels = ["base", "adapter", "calibrate", "head", "truncation"] as const;

/** `cost --shape`: counts a known architecture without weights. All that does not fit is refused at once. */
export function shapeCost(
  name: string,
  path: string | undefined,
  options: Options,
  links: readonly LinkProfile[],
): CostReport & { readonly chosenFor: ChosenFor } {
  const dims = dimsOf(options, 1);
  const phase = options.text("phase") ?? "prefill";
  const setting = options.text("setting") === "3pc" ? "3pc" : "2pc-dealer";
  const numerics = options.text("numerics") ?? "marill";
  const wanted = options.text("objective");
  const { settled, problems } = settle({ model: name, ...(wanted !== undefined && { objective: wanted }) });
  throwIfAny([
    ...refusedShape(name),
    ...refusedOptions(path, options),
    ...(isShape(name) ? refusedPhase(name, phase, dims) : []),
    ...refusedNumerics(numerics, setting, phase),
    ...problems,
  ]);
  const { link, objective } = { ...settled, ...(links[0] && { link: links[0] }) };
  const preset = presets.get(numerics);
  const { report } = countShape(name as ShapeName, {
    seq: dims.seq ?? 1,
    phase: phase as "prefill" | "decode",
    ...(dims.context !== undefined && { context: dims.context }),
    ...techniquesOf(name as ShapeName, options),
    select: { setting, link, objective },
    ...(preset && { preset }),
    links,
  });
  return { ...report, chosenFor: { link, objective } };
}

/** Who owns the weights, and how the model was changed before. */
function techniquesOf(name: ShapeName, options: Options): Pick<ShapeOptions, "private" | "merge"> {
  const [owners = "all"] = options.texts("private");
  const rank = options.text("lora") === undefined ? undefined : countOf(options, "lora", 1);
  const merge = countOf(options, "merge", 1);
  return readUsage(() => {
    checkGroups(architectures[name], merge);
    const ownership = parseOwnership(owners);
    return { private: rank === undefined ? ownership : withAdapters(ownership, rank), merge };
  });
}

const refusedShape = (name: string): readonly Diagnostic[] =>
  isShape(name)
    ? []
    : [{ code: "MRL0830", message: `no architecture is known as ${name}`, help: `known: ${shapeNames.join(", ")}` }];

function refusedOptions(path: string | undefined, options: Options): readonly Diagnostic[] {
  const given = [
    ...(path === undefined ? [] : [path]),
    ...ofModels.filter((option) => options.text(option) !== undefined).map((option) => `--${option}`),
    ...(["input", "reveal", "fix"] as const)
      .filter((option) => options.texts(option).length > 0)
      .map((option) => `--${option}`),
    ...(options.texts("private").length > 1 ? ["a second --private"] : []),
    ...(["2pc-dealer", "3pc", undefined].includes(options.text("setting"))
      ? []
      : [`--setting ${options.text("setting")}`]),
  ];
  return given.map((what) => ({
    code: "MRL0831",
    message: `--shape counts without a model, and ${what} does not go with it`,
    help: "leave one of them out: see marillc cost --help",
  }));
}

/** A preset counts what `compile` would make of it: in its settings, and it keeps no keys and values. */
function refusedNumerics(numerics: string, setting: Setting, phase: string): readonly Diagnostic[] {
  const preset = presets.get(numerics);
  if (numerics === "marill" || (preset?.settings.includes(setting) && phase !== "decode")) return [];
  const help = preset
    ? `${numerics} counts --phase prefill, --setting ${preset.settings.join(" or ")}`
    : `known: marill, ${[...presets.keys()].join(", ")}`;
  return [{ code: "MRL0834", message: `--numerics ${numerics} does not go with these options`, help }];
}

function refusedPhase(name: ShapeName, phase: string, dims: Readonly<Record<string, number>>): readonly Diagnostic[] {
  const wanted: Readonly<Record<string, readonly string[]>> = { prefill: ["seq"], decode: ["context"] };
  const needed = wanted[phase];
  if (!needed || (phase === "decode" && !architectures[name].causal)) {
    const message = needed ? `${name} does not generate: it has no phase decode` : `there is no phase ${phase}`;
    return [{ code: "MRL0832", message, help: "--phase prefill, or decode for models that generate" }];
  }
  const missing = needed.filter((dim) => dims[dim] === undefined);
  const unknown = Object.keys(dims).filter((dim) => !["seq", "context"].includes(dim));
  return [
    ...missing.map((dim) => ({
      code: "MRL0833",
      message: `phase ${phase} needs the size of ${dim}`,
      help: `--dim ${dim}=128`,
    })),
    ...unknown.map((dim) => ({ code: "MRL0833", message: `shapes have no dimension ${dim}`, help: "seq and context" })),
  ];
}
