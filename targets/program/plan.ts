import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { isFixed } from "../../ir/type.ts";
import { fixedOf, operandForm, resultOf, specOf, trafficOf } from "../../passes/5-select/index.ts";
import type { CachedDecl, InputDecl, OutputDecl, WeightDecl } from "../../runtime/program/index.ts";
import { type Fixed, noTraffic, type Spec, type Traffic } from "../../runtime/protocols/kit/index.ts";
import { exportNames, protocols } from "../../runtime/protocols/registry.ts";
import { sequenceAxis } from "../../runtime/protocols/softmax/index.ts";

export type CallArgument =
  | { readonly kind: "value"; readonly id: ValueId }
  | { readonly kind: "input"; readonly id: ValueId }
  /** A masked value that an earlier query opened. */
  | { readonly kind: "cached"; readonly id: ValueId }
  | { readonly kind: "weight"; readonly key: string };

/** One op as a call of the runtime. */
export interface OpCall {
  readonly op: Op;
  /** Export of runtime/protocols, or operator of runtime/program/local-ops.ts. */
  readonly callee: { readonly kind: "protocol" | "local"; readonly name: string };
  readonly spec: Spec;
  readonly args: readonly CallArgument[];
  readonly traffic: Traffic;
}

/** A program as data: emit.ts writes it as text for each party, interpret-plan.ts executes it. */
export interface ProgramPlan {
  readonly name: string;
  readonly setting: string;
  readonly inputs: Readonly<Record<string, InputDecl>>;
  readonly outputs: Readonly<Record<string, OutputDecl>>;
  readonly weights: Readonly<Record<string, WeightDecl>>;
  /** Masked values that later queries read, by name, and the value that each is. */
  readonly cached: Readonly<Record<string, CachedDecl & { readonly value: ValueId }>>;
  readonly steps: readonly (readonly OpCall[])[];
}

/** Name in a weight file: one tensor may be used at several scales, as different integers. */
const weightKey = (tensor: string, scale: number): string => `${tensor}@${scale}`;

/** The model's own name of a weight. */
export const modelTensorOf = ({ tensor, scale }: WeightDecl): string => tensor.slice(0, -`@${scale}`.length);

/** How an op takes one of the model's tensors, and the ring in which it uses a private one. */
function weightDeclOf(module: Module, op: Op, index: number, dealerComputes: boolean): WeightDecl {
  const id = op.operands[index]!;
  const { element, shape, label } = typeOf(module, id);
  const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
  const wanted = protocol && operandForm(protocol, index);
  // If the dealer computes too, a private weight is shared with it, and a public one is sent to it.
  const shared = wanted === "weight" || (dealerComputes && label === "server");
  const held = shared ? "known" : wanted === "fixed" ? "fixed" : undefined;
  const result = fixedOf(module, op.result);
  const fixed = isFixed(element) ? element : { width: 32, scale: 0 };
  const positionRows = module.positionRows?.[module.params[id]!];
  return {
    form: held ?? (label === "server" ? "server" : dealerComputes ? "disclosed" : "public"),
    tensor: weightKey(module.params[id]!, fixed.scale),
    shape: positionRows ? shape.with(positionRows.axis, positionRows.rows) : shape,
    width: held ? result.width : fixed.width,
    scale: fixed.scale,
    ...(positionRows && { rowAxis: positionRows.axis }),
  };
}

/**
 * Plans the calls of a scheduled module. `cachedNames`: keys and values of attention that another program will read, by
 * the names that this one gives them.
 */
export function planProgram(module: Module, setting: string, cachedNames: readonly string[] = []): ProgramPlan {
  if (module.stage !== "schedule") throw new Error(`expected a module of stage schedule, found ${module.stage}`);
  const weights: Record<string, WeightDecl> = {};
  const isInput = new Set(module.inputs);
  const dealerComputes = opsOf(module).some((op) => protocols.get(op.protocol ?? "")?.family === "replicated");

  const argument = (op: Op, index: number): CallArgument => {
    const id = op.operands[index]!;
    if (isInput.has(id) && isCached(module, id)) return { kind: "cached", id };
    if (isInput.has(id)) return { kind: "input", id };
    if (!(id in module.params)) return { kind: "value", id };
    const use = weightDeclOf(module, op, index, dealerComputes);
    // One private tensor may be used in several rings: each use is a weight of its own.
    const taken = weights[id];
    const key = taken && (taken.form !== use.form || taken.width !== use.width) ? `${id}.${use.form}${use.width}` : id;
    weights[key] = use;
    return { kind: "weight", key };
  };

  const steps = module.steps.map((step) =>
    step.ops.map((op): OpCall => {
      const exported = op.protocol === undefined ? undefined : exportNames.get(op.protocol);
      const spec = specOf(module, op);
      const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
      return {
        op,
        callee: exported === undefined ? { kind: "local", name: op.name } : { kind: "protocol", name: exported },
        spec,
        args: op.operands.map((_, index) => argument(op, index)),
        traffic: protocol ? trafficOf(protocol, spec, startedAnew(op, spec)) : noTraffic,
      };
    }),
  );
  return {
    name: module.name,
    setting,
    inputs: inputsOf(module),
    outputs: outputsOf(module),
    weights,
    cached: cachedValues(module, cachedNames),
    steps,
  };
}

/**
 * What is sent depends on the rows that are cached. A program of several positions could read earlier ones, and runs at
 * the beginning of a text, where there are none (runtime/session/session-cache.ts).
 */
function startedAnew({ name }: Op, { operands }: Spec): readonly Fixed[] {
  if (name !== "cached-attention" || operands[cacheOperands.key.own]!.shape[sequenceAxis] === 1) return operands;
  const first = cacheOperands.key.past;
  return operands.map((operand, k) =>
    k < first ? operand : { ...operand, shape: operand.shape.with(sequenceAxis, 0) },
  );
}

/** Operand of attention for each cached tensor: of the query's own rows, and of the rows before. */
const cacheOperands = { key: { own: 1, past: 3 }, value: { own: 2, past: 4 } } as const;

/** A cached-attention caches the keys and values that it reads; an attention those that `cachedNames` lists. */
function cachedValues(module: Module, cachedNames: readonly string[]): ProgramPlan["cached"] {
  const found = opsOf(module).flatMap((op) =>
    Object.entries(cacheOperands).flatMap(([what, { own, past }]): [string, ProgramPlan["cached"][string]][] => {
      const before = op.name === "cached-attention" ? op.operands[past]! : undefined;
      // A result that is computed in a short ring and extended keeps its own name.
      const name = before ?? `${op.result.replace(/\.short$/, "")}.${what}`;
      if (before === undefined && !(op.name === "attention" && cachedNames.includes(name))) return [];
      const value = op.operands[own]!;
      const rows = before === undefined ? 0 : typeOf(module, before).shape[sequenceAxis]!;
      return [[name, { ...fixedOf(module, value), past: rows, value }]];
    }),
  );
  const missing = cachedNames.filter((name) => !found.some(([known]) => known === name));
  if (missing.length > 0) throw new Error(`expected an attention that computes ${missing.join(", ")}, found none`);
  return Object.fromEntries(found);
}

const isCached = (module: Module, id: ValueId): boolean => typeOf(module, id).sharing === "masked";

/** The integers of an input have the scale of its share. */
function inputsOf(module: Module): Readonly<Record<string, InputDecl>> {
  const shares = opsOf(module).filter(({ name }) => name === "share" || name === "take-over");
  return Object.fromEntries(
    module.inputs
      .filter((id) => !isCached(module, id))
      .map((id) => {
        const share = shares.find((op) => op.operands[0] === id);
        const { label } = typeOf(module, id);
        const of = label === "server" || label === "shared" ? { of: label } : {};
        return [id, { ...(share ? fixedOf(module, share.result) : indexForm(module, id)), ...of }];
      }),
  );
}

/** Indices that a protocol takes from the client directly are never shared: they name a row, or count from the end. */
function indexForm(module: Module, id: ValueId): Fixed {
  const lookups = opsOf(module).filter(({ name, operands }) => name === "gather" && operands[1] === id);
  const depths = lookups.map(({ operands, attrs }) => typeOf(module, operands[0]!).shape.at(Number(attrs.axis ?? 0))!);
  const rows = Math.min(...depths);
  return { ...fixedOf(module, id), lo: -rows, hi: rows - 1 };
}

function outputsOf(module: Module): Readonly<Record<string, OutputDecl>> {
  const reveals = new Map(opsOf(module).map((op) => [op.result, op]));
  return Object.fromEntries(
    module.outputs.map((id) => {
      const reveal = reveals.get(id);
      if (reveal?.name === "hand-over") return [id, { ...resultOf(module, reveal), to: "shared" }];
      if (reveal?.name !== "reveal") throw new Error(`output %${id} is not revealed`);
      return [id, { ...resultOf(module, reveal), to: reveal.attrs.to === "server" ? "server" : "client" }];
    }),
  );
}
