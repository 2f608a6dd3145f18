import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { edit, renameValue } from "../../ir/edit.ts";
import { infer } from "../../ir/infer.ts";
import { join, type Label } from "../../ir/label.ts";
import { type Module, type Op, opsOf, typeOf } from "../../ir/module.ts";
import { createNames } from "../../ir/names.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { f32, type TensorType } from "../../ir/type.ts";
import type { StoredWeight } from "../onnx/import/graph/index.ts";
import type { ImportedLinear, ImportedModel } from "../onnx/import/index.ts";
import type { LoraAdapter, LoraModule } from "../ownership/index.ts";
import { type Checked, invalid, valid } from "../tensors/files/index.ts";

interface LoraAttachment {
  readonly lora: LoraModule;
  readonly linear: ImportedLinear;
  readonly product: Op;
}

/**
 * Attaches the adapter to its linear layers: x·W becomes x·W + (x·A)·B, before any bias. A and B are the parameters
 * `<module>.lora_A` and `<module>.lora_B`, private unless `labels` says otherwise. Either the whole adapter matches, or
 * nothing is attached. Errors: MRL0423, MRL0426, MRL0427, MRL0432.
 */
export function attachAdapter(
  imported: ImportedModel,
  adapter: LoraAdapter,
  labels?: ReadonlyMap<string, Label>,
): ImportedModel {
  const matched = adapter.modules.map((half) => matchLayer(imported, adapter, half));
  throwIfAny(matched.flatMap(({ problems }) => problems));
  const found = matched.map(({ value }) => value!);
  throwIfAny(unmatchedLayers(imported, adapter, found));
  const weights = new Map<string, Tensor>(imported.weights);
  const stored = new Map<string, StoredWeight>(imported.storedWeights);
  for (const { lora } of found) {
    for (const [name, tensor] of loraTensors(lora)) {
      weights.set(name, tensor);
      stored.set(name, { weight: name, views: [] });
    }
  }
  const { module, sums } = insertAdapter(imported.module, found, labels);
  const attached = new Set(found.flatMap(({ lora }) => loraTensors(lora).map(([name]) => name)));
  return { ...imported, module: infer(keepOutputNames(module, sums)), weights, storedWeights: stored, attached };
}

/**
 * Linear layers that the configuration targets and the adapter lacks: PEFT would only warn, and part of the training
 * would be lost.
 */
function unmatchedLayers(
  { linears, catalog }: ImportedModel,
  adapter: LoraAdapter,
  found: readonly LoraAttachment[],
): readonly Diagnostic[] {
  const attached = new Set(found.map(({ linear }) => linear));
  return linears.flatMap((linear): Diagnostic[] => {
    if (attached.has(linear) || !adapter.targetsModule?.(linear.module)) return [];
    const message = `the configuration names this layer of ${catalog.model.file}, and the adapter has no tensors for it`;
    const at = `${adapter.folder}, module "${linear.module}"`;
    return [
      { code: "MRL0432", message, at, help: "give the complete adapter, or export the model that it was trained on" },
    ];
  });
}

/** The model names revealed values: a sum that replaces an output takes the output's name. */
function keepOutputNames(module: Module, sums: ReadonlyMap<string, string>): Module {
  const fresh = createNames(Object.keys(module.values));
  return edit(module, (draft) => {
    for (const [product, sum] of sums) {
      if (!module.outputs.includes(sum)) continue;
      renameValue(draft, product, fresh(`${product}.base`));
      renameValue(draft, sum, product);
    }
  });
}

/** The two tensors of a module, by their names in the weight store. */
export const loraTensors = ({ module, a, b }: LoraModule): readonly (readonly [string, Tensor])[] => [
  [`${module}.lora_A`, a],
  [`${module}.lora_B`, b],
];

/** The layer of a module: the same path, or the only one that differs by a leading part. */
function matchLayer(
  { module, linears, catalog }: ImportedModel,
  adapter: LoraAdapter,
  half: LoraModule,
): Checked<LoraAttachment> {
  const exact = linears.filter((linear) => linear.module === half.module);
  const ends = (long: string, short: string): boolean => long.endsWith(`.${short}`);
  const loose = linears.filter((each) => ends(each.module, half.module) || ends(half.module, each.module));
  const [linear, ...more] = exact.length > 0 ? exact : loose;
  const at = `${adapter.folder}, module "${half.module}"`;
  const complain = (code: string, message: string, help: string) => invalid({ code, message, at, help });
  if (!linear || more.length > 0) {
    const names = linears.map((each) => each.module);
    const shown = `${names.slice(0, 8).join(", ")}${names.length > 8 ? `, … (${names.length})` : ""}`;
    const count = linear ? `${more.length + 1} linear layers` : "no linear layer";
    return complain("MRL0426", `${count} of ${catalog.model.file} has this path`, `linear layers: ${shown || "none"}`);
  }
  const product = opsOf(module).find(
    (op) => op.name === "matmul" && op.origin === linear.origin && module.params[op.operands[1]!] === linear.weight,
  );
  if (!product)
    return complain("MRL0427", `the product at ${linear.origin} was not found`, "internal error, please report");
  const [inner, outer] = typeOf(module, product.operands[1]!).shape;
  const [[, a], [, b]] = loraTensors(half) as [[string, Tensor], [string, Tensor]];
  if (a.shape[0] !== inner || b.shape[1] !== outer) {
    const message = `expected A [${inner}, r] and B [r, ${outer}], found [${a.shape.join(", ")}] and [${b.shape.join(", ")}]`;
    return complain("MRL0423", message, "the adapter belongs to another base model");
  }
  return valid({ lora: half, linear, product });
}

interface InsertedAdapter {
  readonly module: Module;
  /** The sum that replaces each product. */
  readonly sums: ReadonlyMap<string, string>;
}

// x·W + (x·A)·B = x·(W + A·B)
function insertAdapter(
  module: Module,
  found: readonly LoraAttachment[],
  labels?: ReadonlyMap<string, Label>,
): InsertedAdapter {
  const fresh = createNames(Object.keys(module.values));
  const values = { ...module.values };
  const params = { ...module.params };
  const added = new Map<string, readonly Op[]>();
  const sums = new Map<string, string>();
  for (const { lora, product } of found) {
    const [a, b] = loraTensors(lora).map(([name, { shape }]) => {
      const id = fresh(name);
      const type: TensorType = { label: labels?.get(name) ?? "server", element: f32, shape };
      values[id] = { type };
      params[id] = name;
      return id;
    });
    const { result, origin, operands } = product;
    const [low, high, sum] = ["lora_low", "lora", "with_lora"].map((part) => fresh(`${result}.${part}`));
    const make = (name: string, from: readonly string[], id: string): Op => {
      return { name, operands: from, result: id, attrs: {}, origin };
    };
    added.set(result, [
      make("matmul", [operands[0]!, a!], low!),
      make("matmul", [low!, b!], high!),
      make("add", [result, high!], sum!),
    ]);
    sums.set(result, sum!);
    const shape = typeOf(module, result).shape;
    const narrow = join(typeOf(module, operands[0]!).label, values[a!]!.type.label);
    const whole = join(narrow, values[b!]!.type.label, typeOf(module, result).label);
    values[low!] = { type: { label: narrow, element: f32, shape: [...shape.slice(0, -1), lora.rank] } };
    values[high!] = values[sum!] = { type: { label: whole, element: f32, shape } };
  }
  const steps = module.steps.flatMap((step) => {
    const ops = step.ops.map((op) => ({ ...op, operands: op.operands.map((id) => sums.get(id) ?? id) }));
    const more = step.ops.flatMap((op) => added.get(op.result) ?? []);
    return [{ ops }, ...more.map((op) => ({ ops: [op] }))];
  });
  const outputs = module.outputs.map((id) => sums.get(id) ?? id);
  return { module: { ...module, values, params, steps, outputs }, sums };
}
