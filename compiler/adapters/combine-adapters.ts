import { basename } from "node:path";
import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { LoraAdapter, LoraModule } from "../ownership/index.ts";

/** Adapters of one name: their changes add up, as PEFT adds those of all active adapters. */
export interface AdapterChoice {
  /** Empty where there is nothing to choose. */
  readonly name: string;
  readonly folders: readonly string[];
}

/**
 * PEFT with several active adapters: y = x·W + Σ (x·Aᵢ)·Bᵢ, which is one adapter whose A has the columns of all, and
 * whose B has their rows. PEFT activates one trained copy of a module at a time, and one adapter with biases.
 * @throws DiagnosticError MRL0434 for adapters that PEFT would not activate together
 */
export function sumAdapters(adapters: readonly LoraAdapter[]): LoraAdapter {
  const [first, ...others] = adapters;
  if (others.length === 0) return first!;
  const trained = adapters.filter(({ savedWeights }) => savedWeights.some(({ kept }) => !kept));
  throwIfAny(trained.length > 1 ? [trainedTwice(trained)] : []);
  const names = [...new Set(adapters.flatMap(({ modules }) => modules.map(({ module }) => module)))].sort();
  const saved = new Map(adapters.flatMap(({ savedWeights }) => savedWeights).map((each) => [each.name, each]));
  for (const each of trained.flatMap(({ savedWeights }) => savedWeights)) saved.set(each.name, each);
  return {
    folder: adapters.map(({ folder }) => basename(folder)).join("+"),
    modules: names.map((name) =>
      joinHalves(adapters.flatMap(({ modules }) => modules.filter((m) => m.module === name))),
    ),
    savedWeights: [...saved.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    fanInFanOut: first!.fanInFanOut,
  };
}

const trainedTwice = (adapters: readonly LoraAdapter[]): Diagnostic => ({
  code: "MRL0434",
  message: `expected at most one adapter with whole weights (modules_to_save, bias), found ${adapters.length}`,
  at: adapters.map(({ folder }) => folder).join(", "),
  because: ["PEFT activates the trained copy of one adapter at a time, so a sum of both has no meaning there"],
  help: "compile with one of them: --adapter <peft-dir>",
});

/** [in, r₁ + r₂ + …] and [r₁ + r₂ + …, out]. */
function joinHalves(halves: readonly LoraModule[]): LoraModule {
  const [first, ...others] = halves;
  return others.reduce((sum, { a, b, rank }) => {
    const wider = sum.rank + rank;
    return { module: sum.module, a: columns(sum.a, a), b: rows(sum.b, b), rank: wider, scale: 1 };
  }, first!);
}

function columns(left: Tensor, right: Tensor): Tensor {
  const [height, l, r] = [left.shape[0]!, left.shape[1]!, right.shape[1]!];
  const data = new Float64Array(height * (l + r));
  for (let row = 0; row < height; row++) {
    data.set(left.data.subarray(row * l, (row + 1) * l), row * (l + r));
    data.set(right.data.subarray(row * r, (row + 1) * r), row * (l + r) + l);
  }
  return { shape: [height, l + r], data };
}

function rows(upper: Tensor, lower: Tensor): Tensor {
  const data = new Float64Array(upper.data.length + lower.data.length);
  data.set(upper.data);
  data.set(lower.data, upper.data.length);
  return { shape: [upper.shape[0]! + lower.shape[0]!, upper.shape[1]!], data };
}

const zeros = (...shape: readonly number[]): Tensor => ({
  shape,
  data: new Float64Array(shape.reduce((a, b) => a * b, 1)),
});

/**
 * The adapters in one shape, so that a program for one serves all: every layer that any of them adapts, at the largest
 * rank that it has there, filled up with zeros. So nothing public says which adapter a session uses.
 * @throws DiagnosticError MRL0434 for adapters that replace whole weights: those have no neutral value
 */
export function alignAdapters(named: ReadonlyMap<string, LoraAdapter>): ReadonlyMap<string, LoraAdapter> {
  const whole = [...named].filter(([, { savedWeights }]) => savedWeights.some(({ kept }) => !kept));
  throwIfAny(whole.map(([name]) => replacesWhole(name)));
  const widest = new Map<string, LoraModule>();
  for (const { modules } of named.values()) {
    for (const each of modules) if (each.rank > (widest.get(each.module)?.rank ?? 0)) widest.set(each.module, each);
  }
  const filled = ({ module, a, b, rank }: LoraModule, own: LoraModule | undefined): LoraModule => {
    if (own?.rank === rank) return own;
    const missing = rank - (own?.rank ?? 0);
    const [more, below] = [zeros(a.shape[0]!, missing), zeros(missing, b.shape[1]!)];
    return { module, a: own ? columns(own.a, more) : more, b: own ? rows(own.b, below) : below, rank, scale: 1 };
  };
  // The manifest says this to everybody, so it names none.
  const folder = "that the server chooses";
  return new Map(
    [...named].map(([name, adapter]) => {
      const own = new Map(adapter.modules.map((each) => [each.module, each]));
      const modules = [...widest.values()].sort((x, y) => (x.module < y.module ? -1 : 1));
      return [name, { ...adapter, folder, modules: modules.map((each) => filled(each, own.get(each.module))) }];
    }),
  );
}

const replacesWhole = (name: string): Diagnostic => ({
  code: "MRL0434",
  message: `the adapter ${name} replaces whole weights (modules_to_save, bias), and adapters to choose from may not`,
  help: "make a build of its own for it: --adapter <peft-dir>",
});
