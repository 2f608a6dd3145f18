import type { ValueId } from "../../ir/module.ts";
import type { SplitState } from "../../passes/pass.ts";
import type { Fixed } from "../../runtime/protocols/kit/index.ts";
import type { ProgramPlan } from "../../targets/program/plan.ts";
import type { Manifest, SharedValueManifest } from "../build/index.ts";

/** What passes between programs in shares, for the manifest. */
interface Planned {
  readonly state: Pick<SplitState, "sources" | "taken">;
  readonly plan: Pick<ProgramPlan, "inputs" | "outputs">;
}

const sharedValue = (value: ValueId, tensor: string, { shape, width, scale, lo, hi }: Fixed): SharedValueManifest => ({
  value,
  tensor,
  shape,
  width,
  scale,
  range: [lo, hi],
});

/** Outputs that stay shared, by their names in the model. */
export function sharedOutputsOf({ state, plan }: Planned): Pick<Manifest, "sharedOutputs"> | undefined {
  const kept = Object.entries(plan.outputs).filter(([, { to }]) => to === "shared");
  if (kept.length === 0) return undefined;
  return { sharedOutputs: kept.map(([value, decl]) => sharedValue(value, state.sources.get(value) ?? value, decl)) };
}

/** Inputs that arrive as shares. */
export const sharedInputsOf = ({ state: { taken }, plan }: Planned): Pick<Manifest, "sharedInputs"> =>
  taken ? { sharedInputs: taken.map(({ value, source }) => sharedValue(value, source, plan.inputs[value]!)) } : {};

/** What a reader must know of both. */
export const passedCaveats = (planned: Planned): readonly string[] => [
  ...(planned.state.taken
    ? ["either party may supply a residue that no program left it, and changes the input by a number of its choice"]
    : []),
  ...(sharedOutputsOf(planned)
    ? ["whoever holds the files of both parties has the outputs that stay shared: keep each with its owner"]
    : []),
];
