import type { Interval, TensorType } from "./type.ts";

/** A value's name, without its leading `%`: a letter or `_`, then letters, digits, `_` and `.`. */
export type ValueId = string;

/** Attributes are data that prints and parses back. */
export type Attr = number | boolean | string | readonly number[] | readonly string[];
export type Attrs = Readonly<Record<string, Attr>>;

/** The passes in order; a module carries the name of the last one that made it. */
export const stages = ["import", "split", "rewrite", "approximate", "quantize", "select", "schedule"] as const;
export type Stage = (typeof stages)[number];

export interface Value {
  readonly type: TensorType;
  /** Bounds of the real number that the value stands for; set by 4-quantize. */
  readonly range?: Interval;
}

export interface Op {
  /** Name of the operator in ir/ops. */
  readonly name: string;
  readonly operands: readonly ValueId[];
  readonly result: ValueId;
  readonly attrs: Attrs;
  /** The ONNX node, for diagnostics and generated comments. */
  readonly origin: string;
  /** Set by 5-select; absent: computed locally. */
  readonly protocol?: string;
  /** Parameters of the protocol that 5-select chose among its variants, such as how it compares. */
  readonly tuning?: Attrs;
}

/** Ops of one step run in lock step: rounds are the maximum, bytes the sum. */
export interface Step {
  readonly ops: readonly Op[];
}

/** Of a weight's rows along an axis not all are taken: those from the place on that a query is about, told when it runs. */
export interface PositionRows {
  readonly axis: number;
  /** Extent of the whole weight along it. */
  readonly rows: number;
}

export interface Module {
  readonly name: string;
  readonly stage: Stage;
  readonly inputs: readonly ValueId[];
  /** Value to its name in the weight store; weights never live in the IR. */
  readonly params: Readonly<Record<ValueId, string>>;
  /** By name of a weight: what its params, of as many rows as they take, take of it. */
  readonly positionRows?: Readonly<Record<string, PositionRows>>;
  readonly steps: readonly Step[];
  readonly outputs: readonly ValueId[];
  readonly values: Readonly<Record<ValueId, Value>>;
}

/** Every op in program order. */
export function opsOf(module: Module): readonly Op[] {
  return module.steps.flatMap((step) => step.ops);
}

export function typeOf(module: Module, id: ValueId): TensorType {
  const value = module.values[id];
  if (!value) throw new Error(`module ${module.name} has no value %${id}`);
  return value.type;
}
