import type { Attr, Attrs, Module, Op, ValueId } from "../module.ts";
import type { AttrKind } from "../ops/define.ts";
import { registry } from "../registry.ts";
import { type Element, type Interval, isFixed, type TensorType } from "../type.ts";

/** A string literal in printable ASCII: no other character can hide, or change the order in which a text is read. */
const quote = (text: string): string =>
  JSON.stringify(text).replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** A number that parses back as itself; `mark` gives an integer a decimal point, to show that it is a real. */
function printNumber(value: number, mark = false): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return mark && /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function printAttr(value: Attr, kind: AttrKind | undefined): string {
  if (typeof value === "number") return printNumber(value, kind === "float");
  if (typeof value === "boolean") return String(value);
  if (typeof value === "string") return quote(value);
  const items = value.map((item) => (typeof item === "number" ? printNumber(item, kind === "floats") : quote(item)));
  return `[${items.join(", ")}]`;
}

function printAttrs(name: string, attrs: Attrs): string {
  const kinds = registry.get(name)?.attrs;
  const entries = Object.entries(attrs).map(([key, value]) => `${key} = ${printAttr(value, kinds?.[key]?.kind)}`);
  return entries.length === 0 ? "" : ` { ${entries.join(", ")} }`;
}

export function printElement(element: Element): string {
  return isFixed(element) ? `fx${element.width}.${element.scale}` : element.kind;
}

export function printType({ label, sharing, element, shape }: TensorType): string {
  return `${label} ${sharing ? `${sharing} ` : ""}${printElement(element)}[${shape.join(", ")}]`;
}

const printRange = (range: Interval | undefined): string =>
  range ? ` in [${printNumber(range.lo)}, ${printNumber(range.hi)}]` : "";

function printValue(module: Module, id: ValueId): string {
  const { type, range } = module.values[id]!;
  return `${printType(type)}${printRange(range)}`;
}

function printParam(module: Module, id: ValueId, weight: string): string {
  const positionRows = module.positionRows?.[weight];
  const at = positionRows ? ` at position { axis = ${positionRows.axis}, rows = ${positionRows.rows} }` : "";
  return `  param %${id} : ${printValue(module, id)} = ${quote(weight)}${at}`;
}

/** One op as a line, without indentation. */
export function printOp(module: Module, op: Op): string {
  const operands = op.operands.map((id) => `%${id}`).join(", ");
  const call = `${op.name}${operands && ` ${operands}`}${printAttrs(op.name, op.attrs)}`;
  const via = op.protocol === undefined ? "" : ` via ${op.protocol}${printAttrs("", op.tuning ?? {})}`;
  const at = op.origin === "" ? "" : ` at ${quote(op.origin)}`;
  return `%${op.result} = ${call} : ${printValue(module, op.result)}${via}${at}`;
}

function printStep(module: Module, ops: readonly Op[]): readonly string[] {
  const lines = ops.map((op) => printOp(module, op));
  return lines.length === 1 ? [`  ${lines[0]}`] : ["  step {", ...lines.map((line) => `    ${line}`), "  }"];
}

/** The text form of a module; ir/text/parse.ts reads it back. */
export function print(module: Module): string {
  const name = /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(module.name) ? module.name : quote(module.name);
  const lines = [
    `module ${name} stage ${module.stage} {`,
    ...module.inputs.map((id) => `  input %${id} : ${printValue(module, id)}`),
    ...Object.entries(module.params).map(([id, weight]) => printParam(module, id, weight)),
    ...module.steps.flatMap((step) => printStep(module, step.ops)),
    ...module.outputs.map((id) => `  output %${id}`),
    "}",
  ];
  return `${lines.join("\n")}\n`;
}
