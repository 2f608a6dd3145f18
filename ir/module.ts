import type { Interval, TensorType } from "./type.ts";

/** A value's name, without its leading `%`: a letter or `_`, then letters, digits, `_` and `.`. */
export type ValueId = string;

/** Attribute values are data that prints and parses back. */
export type Attr = number | boolean | string | readonly number[] | readonly string[];
export type Attrs = Readonly<Record<string, Attr>>;

/** Stages in order. A module carries the stage of the last pass that ran. */
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
  /** Name of the ONNX node, for diagnostics and generated comments. */
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

/** Params take only some rows of a weight: those from the position of the query on, which is known when it runs. */
export interface PositionRows {
  readonly axis: number;
  /** Size of the whole weight along the axis. */
  readonly rows: number;
}

export interface Module {
  readonly name: string;
  readonly stage: Stage;
  readonly inputs: readonly ValueId[];
  /** Names in the weight store by value; weights are not part of the module. */
  readonly params: Readonly<Record<ValueId, string>>;
  /** By weight name; the shape of a param says how many rows it takes. */
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
