import { type Attrs, type Module, type Op, opsOf } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { type Shape, sizeOf } from "../../ir/type.ts";
import { approximate, type Preset, presets } from "../../passes/3-approximate/index.ts";
import { calibrate, defaultPrecision, quantize } from "../../passes/4-quantize/index.ts";
import { costOf, select, specOf } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { ulpsOf } from "../../runtime/protocols/kit/index.ts";
import { protocols } from "../../runtime/protocols/registry.ts";
import { publishedCosts } from "./published-costs.ts";
import { evaluateModule, evenGrid, lowDiscrepancy, singleOpModule } from "./single-op-module.ts";

/** A function over a domain. Row-wise functions have rows of 128. */
interface MeasuredFunction {
  readonly operator: string;
  readonly domain: readonly [lo: number, hi: number];
  readonly attrs?: Attrs;
  readonly rowwise?: true;
}

export const measuredFunctions: readonly MeasuredFunction[] = [
  { operator: "relu", domain: [-12, 12] },
  { operator: "exp", domain: [-8, 0] },
  { operator: "reciprocal", domain: [1, 128] },
  { operator: "rsqrt", domain: [0.5, 50] },
  { operator: "sigmoid", domain: [-12, 12] },
  { operator: "tanh", domain: [-6, 6] },
  { operator: "erf", domain: [-2, 2] },
  { operator: "gelu", domain: [-12, 12] },
  { operator: "silu", domain: [-12, 12] },
  { operator: "softmax", domain: [-4, 4], rowwise: true },
  { operator: "layer-norm", domain: [-4, 4], rowwise: true, attrs: { epsilon: 1e-5 } },
];

const shapeOf = ({ rowwise }: MeasuredFunction): Shape => (rowwise ? [8, 128] : [1024]);
const inputOf = (each: MeasuredFunction, shape: Shape): Tensor =>
  (each.rowwise ? lowDiscrepancy : evenGrid)(shape, ...each.domain);

/** Largest difference between a preset's expansion and the function over the domain, on real numbers. */
export function worstError(each: MeasuredFunction, preset: Preset): number {
  const shape = each.rowwise ? shapeOf(each) : [24_001];
  const exact = singleOpModule(each.operator, shape, each.attrs);
  const x = inputOf(each, shape);
  const [wanted, found] = [evaluateModule(exact, x).data, evaluateModule(approximate(exact, preset), x).data];
  return found.reduce((most, value, k) => Math.max(most, Math.abs(value - wanted[k]!)), 0);
}

interface PresetRow {
  readonly system: string;
  readonly error: string;
  /** Bytes of one element between client and server, both directions together. */
  readonly online: number;
  /** Bytes of one element from the dealer. */
  readonly dealt: number;
  readonly rounds: number;
}

/** Sharing and revealing cost the same in all presets. */
const isCounted = ({ name }: Op): boolean => name !== "share" && name !== "reveal";

function costs(module: Module, elements: number): Pick<PresetRow, "online" | "dealt" | "rounds"> {
  const sum = (links: Readonly<Record<string, number>>): number => Object.values(links).reduce((a, b) => a + b, 0);
  const all = opsOf(module).filter(isCounted);
  const total = (which: "bytes" | "dealt"): number => all.reduce((s, op) => s + sum(costOf(module, op)[which]), 0);
  const rounds = module.steps.map(({ ops }) =>
    Math.max(0, ...ops.filter(isCounted).map((op) => costOf(module, op).rounds)),
  );
  return {
    online: total("bytes") / elements,
    dealt: total("dealt") / elements,
    rounds: rounds.reduce((a, b) => a + b, 0),
  };
}

/** Runs the passes on the operator alone, with its domain as its range. */
function rowOf(each: MeasuredFunction, preset: Preset | undefined): PresetRow {
  const shape = shapeOf(each);
  const [lo, hi] = each.domain;
  const written = singleOpModule(each.operator, shape, each.attrs, { lo, hi });
  const state: SplitState = preset ? approximate(written, preset) : written;
  const precision = preset?.precision ?? defaultPrecision;
  const calibration = calibrate(state, [new Map([["x", inputOf(each, shape)]])], { margin: 1, precision });
  const truncation = preset?.truncation ?? "fast";
  const quantized = quantize(state, { calibration, precision, truncation, keepsRoundings: true });
  const { module } = runPass(
    schedulePass,
    select(quantized, {
      setting: preset?.settings[0] ?? "2pc-dealer",
      truncation,
      ...(preset && { families: preset.families }),
      ...(preset?.ring !== undefined && { ring: preset.ring }),
      ...(preset?.truncations && { truncations: preset.truncations }),
    }),
  );
  return {
    system: preset?.name ?? "marill",
    // The formula's own error where the preset expands the operator, else the bound of the protocol that computes it.
    error:
      preset?.rewrites[each.operator] || preset?.name === base.name
        ? figure(worstError(each, preset))
        : `≤ ${figure(declared(module, each.operator))}`,
    ...costs(module, sizeOf(shape)),
  };
}

/** The error that the protocol of an operator declares, in real units: approximation and rounding together. */
function declared(module: Module, operator: string): number {
  const op = opsOf(module).find(({ name }) => name === operator)!;
  const spec = specOf(module, op);
  return ulpsOf(protocols.get(op.protocol!)!, spec) * 2 ** -spec.result.scale;
}

const figure = (x: number): string => (x === 0 ? "0" : x < 1e-6 ? "< 1e-6" : x.toExponential(1));
const bytes = (x: number): string => (x < 100 ? x.toFixed(1) : x.toFixed(0));

const base = presets.get("crypten")!;

/** Whether a protocol of the preset's own family computes the operator without an expansion. */
const hasOwnProtocol = (operator: string, [family]: Preset["families"]): boolean =>
  family !== base.families[0] &&
  [...protocols.values()].some((protocol) => protocol.implements === operator && protocol.family === family);

/** Presets that compute the operator in their own way. An inherited way would only repeat a row. */
function presetsFor(operator: string): readonly Preset[] {
  const all = [...presets.values()];
  const own = (preset: Preset): boolean =>
    preset === base ||
    (preset.rewrites[operator] !== undefined &&
      all.find(({ rewrites }) => rewrites[operator] === preset.rewrites[operator]) === preset) ||
    hasOwnProtocol(operator, preset.families);
  return all.filter(own);
}

/** Error over the domain, bytes of one element and rounds, by function and system; as Markdown. */
export function presetTable(): string {
  const lines = measuredFunctions.flatMap((each) =>
    [undefined, ...presetsFor(each.operator)].map((preset) => {
      const { system, error, online, dealt, rounds } = rowOf(each, preset);
      const domain = `[${each.domain.join(", ")}]${each.rowwise ? ", rows of 128" : ""}`;
      return `| ${[each.operator, domain, system, error, bytes(online), bytes(dealt), rounds].join(" | ")} |`;
    }),
  );
  const head = "| function | domain | system | largest error | online B | dealer B | rounds |";
  return [head, "| --- | --- | --- | --- | --- | --- | --- |", ...lines].join("\n");
}

/** What BumbleBee and SIRNN send on their own backends by published formulas; as Markdown. */
export function publishedTable(): string {
  const lines = publishedCosts.map(({ operator, system, width, bits, rounds, madeOf }) => {
    return `| ${[operator, system, width, bytes(bits / 8), rounds, madeOf].join(" | ")} |`;
  });
  const head = "| function | system | ring | B by formula | rounds | made of |";
  return [head, "| --- | --- | --- | --- | --- | --- |", ...lines].join("\n");
}
