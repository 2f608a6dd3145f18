import { type Kernel, type Lane, type OperatorName, operators, type Value } from "./language.ts";

/**
 * The text of a kernel, one value a line: `%2 = add u64 %0 %1`, `%3 = shr u64 %2 12`, `%0 = each u64 0`,
 * `%4 = constant u32 0x1f`; and `give %3 %5`. Equal kernels have equal texts.
 */
export const printKernel = ({ values, outputs }: Kernel): string =>
  [...values.map((value, k) => `%${k} = ${printValue(value)}`), `give ${outputs.map((k) => `%${k}`).join(" ")}`].join(
    "\n",
  );

function printValue(value: Value): string {
  if (value.kind === "operator") {
    const args = value.args.map((k) => ` %${k}`).join("");
    return `${value.name} ${value.lane}${args}${"by" in operators[value.name] ? ` ${value.by}` : ""}`;
  }
  if (value.kind !== "constant") return `${value.kind} ${value.lane} ${value.index}`;
  const digits = value.lane === "u32" ? 8 : 16;
  const word = (n: number): string => (n >>> 0).toString(16).padStart(8, "0");
  return `constant ${value.lane} 0x${`${word(value.high)}${word(value.low)}`.slice(-digits)}`;
}

/** The kernel of a text. @throws Error with the line that is none. */
export function parseKernel(text: string): Kernel {
  const lines = text.split("\n");
  const last = lines.pop() ?? "";
  const values = lines.map((line, k) => parseValue(line, k));
  const outputs = [...last.matchAll(/ %(\d+)/g)].map(([, index]) => Number(index));
  if (!/^give( %\d+)+$/.test(last) || outputs.some((k) => k >= values.length)) throw wrong(last);
  return { values, outputs };
}

const wrong = (line: string): Error => new Error(`not a line of a kernel: ${line}`);

const form = /^%(\d+) = (\w+) (u32|u64|f64)((?: %\d+)*)(?: (0x[0-9a-f]+|\d+))?$/;

function parseValue(line: string, position: number): Value {
  const [, index, name, lane, names, number] = form.exec(line) ?? [];
  if (Number(index) !== position) throw wrong(line);
  const value = { lane: lane as Lane };
  if (name === "each" || name === "one") return { kind: name, ...value, index: Number(number) };
  if (name === "constant") {
    const digits = number!.slice(2).padStart(16, "0");
    return { kind: name, ...value, low: Number(`0x${digits.slice(8)}`), high: Number(`0x${digits.slice(0, 8)}`) };
  }
  const args = [...names!.matchAll(/%(\d+)/g)].map(([, arg]) => Number(arg));
  const operator = Object.hasOwn(operators, name!) ? operators[name as OperatorName] : undefined;
  if (operator?.operands !== args.length || args.some((arg) => arg >= position)) throw wrong(line);
  return { kind: "operator", ...value, name: name as OperatorName, args, by: Number(number ?? 0) };
}
