import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { Label } from "../../ir/label.ts";
import { type Attrs, type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { needsProtocol, opDef } from "../../ir/registry.ts";
import {
  type Family,
  type Fixed,
  isExact,
  type OperandForm,
  type Protocol,
  type Setting,
  type Spec,
} from "../../runtime/protocols/kit/index.ts";
import { protocols } from "../../runtime/protocols/registry.ts";
import { mirroredComparison } from "../graph.ts";
import { opsBeforeReveals } from "./before-reveals.ts";
import { type Candidate, candidatesOf, cheapest, type LinkSpeed, type Objective } from "./cheapest.ts";
import { refusalAdvice } from "./refusal-advice.ts";
import { specOf } from "./spec.ts";
import { operandForm, trafficWithin } from "./traffic.ts";

export interface SelectOptions {
  readonly setting: Setting;
  /** exact: prefer exact protocols wherever there are any. Default: fast. */
  readonly truncation?: "fast" | "exact";
  /** Families of protocols to choose from, the preferred ones first. Default: marill. */
  readonly families?: readonly Family[];
  /** The link that protocols are chosen for. Default: a wide-area link. */
  readonly link?: LinkSpeed;
  /** Metric to minimize on it. Default: time. */
  readonly objective?: Objective;
  /** Ring of every share, for systems with one ring; absent: planned per value. */
  readonly ring?: number;
  /** Operator that produced a value → protocol that truncates it. */
  readonly truncations?: Readonly<Record<string, string>>;
}

/** Labels that an operand may have, by the form in which a protocol wants it. */
const labelsOfForm: Readonly<Record<OperandForm, readonly Label[]>> = {
  share: ["shared"],
  masked: ["shared"],
  replicated: ["shared"],
  weight: ["server"],
  fixed: ["server"],
  public: ["public", "client"],
  server: ["server"],
  residue: ["shared"],
};

/** Operators that need a protocol whatever the labels of their operands: they change how a value is held. */
const conversions: readonly string[] = ["share", "open", "extend", "reveal", "hand-over", "take-over"];

/** Operators whose two operands may be swapped, with their attributes after the swap. */
const swapped: Readonly<Record<string, (attrs: Attrs) => Attrs>> = {
  mul: (attrs) => attrs,
  logic: (attrs) => attrs,
  maximum: (attrs) => attrs,
  minimum: (attrs) => attrs,
  compare: (attrs) => ({ ...attrs, kind: mirroredComparison[String(attrs.kind)]! }),
};

/** x·y = y·x, x < y = y > x: puts an operand that is not secret on the right, where protocols expect it. */
function orderOperands(module: Module, op: Op): Op {
  const [first, second] = op.operands as [ValueId, ValueId];
  const swap = Object.hasOwn(swapped, op.name) ? swapped[op.name] : undefined;
  if (!swap || typeOf(module, first).label === "shared" || typeOf(module, second).label !== "shared") return op;
  return { ...op, operands: [second, first], attrs: swap(op.attrs) };
}

const accepts = (module: Module, op: Op, protocol: Protocol): boolean =>
  op.operands.every((id, index) => labelsOfForm[operandForm(protocol, index)].includes(typeOf(module, id).label));

/** The default link: 100 Mbit/s with a round trip of 80 ms, as in most papers. */
const defaultLink: LinkSpeed = { mbitPerSecond: 100, roundTripMs: 80 };

/** Preference class: by family; if results must be exact, exact protocols of any family come first. */
function rankOf(protocol: Protocol, spec: Spec, { truncation, families = ["marill"] }: SelectOptions): number {
  const late = truncation === "exact" && !isExact(protocol, spec);
  return families.indexOf(protocol.family ?? "marill") + (late ? families.length : 0);
}

/** The cheapest candidate of the best class that has one which can run the spec. */
function choose(all: readonly Protocol[], spec: Spec, options: SelectOptions): Candidate | undefined {
  const { link = defaultLink, objective = "time" } = options;
  const rank = (protocol: Protocol): number => rankOf(protocol, spec, options);
  const ranks = [...new Set(all.map(rank))].sort((a, b) => a - b);
  for (const wanted of ranks) {
    const same = all.filter((protocol) => rank(protocol) === wanted).flatMap((each) => candidatesOf(each, spec));
    const found = cheapest(same, spec, link, objective);
    if (found) return found;
  }
  // None can run it: take the first; `refusals` reports why once rings are planned.
  return all[0] && { protocol: all[0] };
}

/** The spec with all shares in one ring; only booleans stay bits. */
function inRing({ operands, result, attrs }: Spec, ring: number | undefined): Spec {
  const wide = (x: Fixed): Fixed => (ring === undefined || x.width === 1 ? x : { ...x, width: ring });
  return { operands: operands.map(wide), result: wide(result), attrs };
}

/** An operator that each party computes on its share alone, as a product with public numbers. */
function isLocal(module: Module, { name, operands }: Op): boolean {
  const labels = operands.map((id) => typeOf(module, id).label);
  return !conversions.includes(name) && !needsProtocol(opDef(name), labels);
}
const isLocalLinear = (module: Module, op: Op): boolean => opDef(op.name).linear === "joint" && isLocal(module, op);

/** The operator that produced the operand of an op, before local linear operators. */
function producerOperator(module: Module, makers: ReadonlyMap<ValueId, Op>, { operands }: Op): string {
  const maker = makers.get(operands[0]!);
  if (!maker) return "";
  return isLocalLinear(module, maker) ? producerOperator(module, makers, maker) : maker.name;
}

/** Operators whose result is an operand's value, a bound or a difference of values: they round nothing. */
const keepsValues: ReadonlySet<string> = new Set([
  ...["abs", "clip", "extend", "max-pool", "maximum", "minimum", "reduce-max", "reduce-min", "relu"],
  ...["select-by-rank", "truncate", "where"],
]);

/**
 * Truncations whose result is opened, at most after operators that compute locally or that round nothing. The
 * carry of a fast one is a function of the reader's own share and of the bits that it drops: a client who repeats a
 * question sees it under many shares, and the dropped bits with it. These round exactly, and leave fresh shares.
 */
function openedTruncations(module: Module): ReadonlySet<ValueId> {
  const before = opsBeforeReveals(module, (op) => keepsValues.has(op.name) || isLocal(module, op));
  return new Set(before.filter(({ name }) => name === "truncate").map(({ result }) => result));
}

/**
 * Chooses a protocol for each op that needs one: of those that implement it in this setting for operands with these
 * labels, the cheapest of the preferred family on the link. Throws MRL0520 for all ops without one.
 */
export function chooseProtocols(module: Module, options: SelectOptions): readonly Op[] {
  const { setting, families = ["marill"], truncations = {} } = options;
  const missing: Diagnostic[] = [];
  const makers = new Map(opsOf(module).map((op) => [op.result, op]));
  // Presets of other systems measure what their authors built, the leak of its truncations included.
  const opened = families[0] === "marill" ? openedTruncations(module) : new Set<ValueId>();
  const ops = opsOf(module).map((original) => {
    const op = orderOperands(module, original);
    const labels = op.operands.map((id) => typeOf(module, id).label);
    if (!conversions.includes(op.name) && !needsProtocol(opDef(op.name), labels)) return op;
    const named = op.name === "truncate" ? truncations[producerOperator(module, makers, op)] : undefined;
    const candidates = [...protocols.values()].filter(
      (protocol) =>
        protocol.implements === op.name &&
        protocol.settings.includes(setting) &&
        families.includes(protocol.family ?? "marill") &&
        (named === undefined || protocol.name === named) &&
        accepts(module, op, protocol),
    );
    const chosen = choose(candidates, inRing(specOf(module, op), options.ring), {
      ...options,
      ...(opened.has(op.result) && { truncation: "exact" }),
    });
    if (chosen) return { ...op, protocol: chosen.protocol.name, ...(chosen.tuning && { tuning: chosen.tuning }) };
    missing.push({
      code: "MRL0520",
      message: `no protocol of setting ${setting} computes ${op.name} of operands that are ${labels.join(", ")}`,
      at: op.origin || `%${op.result}`,
      help: "keep the operator on public values, or replace it in the model: `marillc check` lists what is supported",
    });
    return op;
  });
  throwIfAny(missing);
  return ops;
}

/** Whether the preferred family has a protocol for an operator in this setting: rewrites may then make it. */
export function computesOperator({ setting, families: [preferred = "marill"] = [] }: SelectOptions) {
  return (operator: string): boolean =>
    [...protocols.values()].some(
      ({ implements: name, settings, family = "marill" }) =>
        name === operator && settings.includes(setting) && family === preferred,
    );
}

/** All ops whose protocol cannot run at the planned ring widths (MRL0521). */
export function refusals(module: Module): readonly Diagnostic[] {
  return opsOf(module).flatMap((op) => {
    if (op.protocol === undefined) return [];
    const spec = specOf(module, op);
    const protocol = protocols.get(op.protocol)!;
    const why =
      protocol.refuses?.(spec) ?? (trafficWithin(protocol, spec) ? undefined : "it needs a ring of more than 64 bits");
    if (why === undefined) return [];
    return [
      {
        code: "MRL0521",
        message: `${op.protocol} cannot compute %${op.result}: ${why}`,
        at: op.origin || `%${op.result}`,
        help: refusalAdvice(op, spec),
      },
    ];
  });
}
