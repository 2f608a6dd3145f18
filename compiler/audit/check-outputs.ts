import type { ParsedProgramText, ParsedShareType } from "./parse-program.ts";
import type { ParsedCall } from "./read-body.ts";
import { sameShape, typeText } from "./tracked-value.ts";

/** Ring and shape of a value. */
type ValueType = Pick<ParsedShareType, "shape" | "width" | "scale">;
interface Operand {
  readonly type: ValueType;
}

/** A reveal opens a declared output, unchanged, to the reader that the program declares. */
export function checkReveal(
  { result }: ParsedCall,
  program: ParsedProgramText,
  operand: Operand | undefined,
  output: string | undefined,
): readonly string[] {
  const spec = program.specs.get(result)!;
  const type = program.types.get(result)!;
  const declared = output === undefined ? undefined : program.outputs.get(output);
  if (!declared) return [`${result} is opened, but is not a declared output`];
  const { to } = spec.attrs;
  const problems: string[] = [];
  if (to !== declared.to || (to !== "client" && to !== "server")) {
    problems.push(`${output} is opened to the ${String(to)}, but declared for the ${declared.to}`);
  }
  const agree = (other: ValueType): boolean =>
    sameShape(other.shape, declared.shape) && other.width === declared.width && other.scale === declared.scale;
  const wrong = [operand?.type, type].find((each) => each && !agree(each));
  if (wrong) problems.push(`${output} is opened as ${typeText(wrong)}, and declared as ${typeText(declared)}`);
  return problems;
}

/** What stays shared is a declared output in the ring that the program declares. */
export function checkKept(
  { result }: ParsedCall,
  program: ParsedProgramText,
  operand: Operand | undefined,
  output: string | undefined,
): readonly string[] {
  const declared = output === undefined ? undefined : program.outputs.get(output);
  if (!declared) return [`${result} leaves the program in shares, but is not a declared output`];
  if (declared.to !== "shared")
    return [`${output} leaves the program in shares, but is declared for the ${declared.to}`];
  const agree = ({ shape, width, scale }: ValueType): boolean =>
    sameShape(shape, declared.shape) && width === declared.width && scale === declared.scale;
  const types = [program.types.get(result)!, ...(operand ? [operand.type] : [])];
  return types.every(agree) ? [] : [`${output} leaves in other shares than declared, ${typeText(declared)}`];
}
