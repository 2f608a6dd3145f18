import { type Builder, createBuilder } from "../../ir/builder.ts";
import { fail, throwIfAny } from "../../ir/diagnostic.ts";
import { knows, type Label } from "../../ir/label.ts";
import { type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import { opDef } from "../../ir/registry.ts";
import { producersOf } from "../../ir/uses.ts";
import { liveOps } from "../graph.ts";
import type { ClientCut, ClientPart, Pass, PassState, ServerPart, SplitState } from "../pass.ts";
import { flowLabels, inputDependent, reachedFrom } from "./labels.ts";
import { checkReveals, openings, type Readers, type Reveal } from "./reveals.ts";

/** Result of the importer. Without `sources`, every value counts as an ONNX tensor of its own name. */
export interface ImportState extends PassState {
  readonly sources?: ReadonlyMap<ValueId, string>;
  /** Weights that the ONNX file does not have, by their names: an adapter's. */
  readonly attached?: ReadonlySet<string>;
}

export interface SplitOptions {
  readonly reveal?: readonly Reveal[];
  /** Why a param or input belongs to the server, for diagnostics. */
  readonly reasons?: ReadonlyMap<ValueId, string>;
}

interface Partition {
  readonly module: Module;
  readonly labels: ReadonlyMap<ValueId, Label>;
  /** Ops of the secure part, in program order. */
  readonly secure: readonly Op[];
  /** Values that the secure part reads and does not compute, in program order, without params. */
  readonly cuts: readonly ValueId[];
  /** The outputs that the secure part opens, each to its readers. */
  readonly outputs: Readers;
}

/**
 * Splits a model. The client computes every value that depends on public weights and its own inputs alone; the server,
 * every value that depends on weights and its own inputs alone. The rest is the secure module: its inputs are the cut values, its outputs are revealed as declared. Nothing else leaves
 * the secure module, so it reads nothing that derives from a revealed value. Throws MRL0301, 0302, 0303 and 0305.
 */
export function split(state: ImportState, { reveal = [], reasons = new Map() }: SplitOptions): SplitState {
  const { module, weights } = state;
  const sources = state.sources ?? new Map();
  const labels = flowLabels(module);
  const { readers, problems } = checkReveals({ module, labels, sources, reasons }, reveal);
  throwIfAny(problems);
  const dynamic = inputDependent(module);
  const outputs = openings({ module, labels }, readers, (id) => !dynamic.has(id));
  const parts = partition(module, labels, outputs, clearTest(state, labels));
  if (outputs.size === 0) nothingSecret(module);
  const secure = buildSecureModule(parts);
  const clients = module.outputs.filter((id) => !readers.has(id) || readers.get(id)!.includes("client"));
  const named = new Map([...sources, ...namesOfOpened(secure.opened, state.sources)]);
  const server = serverPart(parts, sources);
  const client = clientPart(parts, clients, sources);
  const taken = takenInputs(parts, sources);
  return {
    module: secure.module,
    weights,
    client,
    ...(server.cuts.length > 0 && { server }),
    ...(taken.length > 0 && { taken }),
    sources: named,
  };
}

/**
 * Whether a party computes a value in the clear, from its own layers in the ONNX file. A public value that no input
 * reaches is a constant: it folds on either side, and needs no cut. The server does not know public inputs, which the
 * client supplies, and its ONNX layers lack an attached adapter.
 */
function clearTest(
  { module, sources, attached = new Set() }: ImportState,
  labels: Partition["labels"],
): (id: ValueId) => boolean {
  const dynamic = inputDependent(module);
  const added = Object.entries(module.params).flatMap(([id, weight]) => (attached.has(weight) ? [id] : []));
  const supplied = module.inputs.filter((id) => labels.get(id) === "public");
  const beyondServer = reachedFrom(module, [...added, ...supplied]);
  const isClear: Readonly<Record<Label, (id: ValueId) => boolean>> = {
    client: () => true,
    public: (id) => dynamic.has(id),
    server: (id) => dynamic.has(id) && !beyondServer.has(id),
    shared: () => false,
  };
  return (id) => isClear[labels.get(id)!](id) && (sources === undefined || sources.has(id));
}

/** An opened value is the ONNX tensor of its output, under whatever name. */
const namesOfOpened = (
  opened: ReadonlyMap<ValueId, ValueId>,
  sources: ReadonlyMap<ValueId, string> | undefined,
): readonly (readonly [ValueId, string])[] =>
  sources === undefined ? [] : [...opened].map(([value, output]) => [value, sources.get(output) ?? output]);

function nothingSecret(module: Module): never {
  return fail({
    code: "MRL0305",
    message: "expected an output that depends on a private weight, found none: the client can compute the whole model",
    at: `module ${module.name}`,
    help: "declare the private weights: --base, --adapter or --private",
  });
}

export const splitPass = (options: SplitOptions): Pass<ImportState, SplitState> => ({
  name: "split",
  requires: "import",
  ensures: "split",
  run: (state) => split(state, options),
});

/**
 * Walks back from the secure outputs to values that a party can compute alone. A cut must be a tensor of the ONNX file.
 */
function partition(
  module: Module,
  labels: Partition["labels"],
  outputs: Readers,
  isClear: (id: ValueId) => boolean,
): Partition {
  const producers = producersOf(opsOf(module));
  const inside = new Set<Op>();
  const cuts = new Set<ValueId>();
  const waiting = [...outputs.keys()];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (Object.hasOwn(module.params, id)) continue;
    const op = producers.get(id);
    if (!op || isClear(id)) cuts.add(id);
    else if (!inside.has(op)) {
      inside.add(op);
      waiting.push(...op.operands);
    }
  }
  const order = [...module.inputs, ...opsOf(module).map((op) => op.result)];
  return {
    module,
    labels,
    secure: opsOf(module).filter((op) => inside.has(op)),
    cuts: order.filter((id) => cuts.has(id)),
    outputs,
  };
}

interface SecureModule {
  readonly module: Module;
  /** The output of the model that each opened value is. */
  readonly opened: ReadonlyMap<ValueId, ValueId>;
}

function buildSecureModule(parts: Partition): SecureModule {
  const { module, secure, cuts, outputs, labels } = parts;
  const builder = createBuilder(module.name, "split");
  for (const id of cuts) builder.input(id, { ...module.values[id]!.type, label: labels.get(id)! });
  const read = new Set([...outputs.keys(), ...secure.flatMap((op) => op.operands)]);
  for (const [id, weight] of Object.entries(module.params)) {
    if (read.has(id)) builder.param(id, module.values[id]!.type, weight);
  }
  const shares = shareCuts(builder, parts);
  const made = new Set(secure.map((op) => op.result));
  // The revealed output keeps the model's name; the shared value behind it is `<name>.shared`.
  const renamed = new Map([...outputs.keys()].filter((id) => made.has(id)).map((id) => [id, `${id}.shared`]));
  for (const op of secure) {
    const operands = op.operands.map((id, index) =>
      isInClear(op, index, labels) ? id : (shares.get(id) ?? renamed.get(id) ?? id),
    );
    const result = builder.op(op.name, operands, op.attrs, {
      result: renamed.get(op.result) ?? op.result,
      origin: op.origin,
    });
    renamed.set(op.result, result);
  }
  const opened = new Map<ValueId, ValueId>();
  for (const [id, readers] of outputs) {
    const from = renamed.get(id) ?? shares.get(id) ?? id;
    const name = made.has(id) ? id : `${id}.revealed`;
    const origin = producersOf(secure).get(id)?.origin ?? "";
    // Each reader gets the other party's share: two openings of one value, each to one party. What stays shared is opened
    // to nobody.
    for (const [k, to] of readers.entries()) {
      const named = { result: k === 0 ? name : `${name}.${to}`, origin };
      const result =
        to === "shared" ? builder.op("hand-over", [from], {}, named) : builder.op("reveal", [from], { to }, named);
      builder.output(result);
      opened.set(result, id);
    }
  }
  return { module: builder.finish(), opened };
}

/**
 * Selectors that stay in the clear: those that both parties know, and indices that the client knows, since 2-rewrite
 * turns their lookup into a product with one-hot rows.
 */
function isInClear(op: Op, index: number, labels: Partition["labels"]): boolean {
  const selects = opDef(op.name).selectors?.includes(index) ?? false;
  return selects && (op.name === "gather" || labels.get(op.operands[index]!) === "public");
}

/** Shares each cut once, where it enters, or takes over the residues that the parties hold of it. */
function shareCuts(builder: Builder, { secure, cuts, outputs, labels }: Partition): ReadonlyMap<ValueId, ValueId> {
  const computedWith = new Set([
    ...outputs.keys(),
    ...secure.flatMap((op) => op.operands.filter((_, index) => !isInClear(op, index, labels))),
  ]);
  const entering = cuts.filter((id) => computedWith.has(id));
  const how = (id: ValueId): string => (labels.get(id) === "shared" ? "take-over" : "share");
  return new Map(entering.map((id) => [id, builder.op(how(id), [id], {}, { result: `${id}.share` })]));
}

/** `clients`: outputs that the client may learn. */
function clientPart(
  { module, cuts, labels }: Partition,
  clients: readonly ValueId[],
  sources: ReadonlyMap<ValueId, string>,
): ClientPart {
  const nameOf = (id: ValueId): string => sources.get(id) ?? id;
  const own = cuts.filter((id) => knows("client", labels.get(id)!));
  const alone = clients.filter((id) => knows("client", labels.get(id)!));
  const read = new Set([...own, ...alone, ...liveOps(opsOf(module), [...own, ...alone]).flatMap((op) => op.operands)]);
  return {
    inputs: module.inputs.filter((id) => read.has(id)).map(nameOf),
    cuts: own.map((value): ClientCut => ({ value, source: nameOf(value) })),
    outputs: alone.map(nameOf),
    tails: [],
  };
}

function serverPart({ module, cuts, labels }: Partition, sources: ReadonlyMap<ValueId, string>): ServerPart {
  const nameOf = (id: ValueId): string => sources.get(id) ?? id;
  const own = cuts.filter((id) => labels.get(id) === "server");
  const read = new Set([...own, ...liveOps(opsOf(module), own).flatMap((op) => op.operands)]);
  return {
    inputs: module.inputs.filter((id) => read.has(id)).map(nameOf),
    cuts: own.map((value): ClientCut => ({ value, source: nameOf(value) })),
  };
}

/** Inputs of which both parties hold residues: they enter as they are. */
const takenInputs = ({ cuts, labels }: Partition, sources: ReadonlyMap<ValueId, string>): readonly ClientCut[] =>
  cuts.filter((id) => labels.get(id) === "shared").map((value) => ({ value, source: sources.get(value) ?? value }));
