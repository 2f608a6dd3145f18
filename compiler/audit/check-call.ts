import type { Finding } from "./finding.ts";
import { localShapes } from "./local-shapes.ts";
import type { ParsedProgramText, ParsedShareType, ParsedSpec } from "./parse-program.ts";
import { protocolShapes, ringFits } from "./protocol-shapes.ts";
import { type ProtocolSignature, protocolSignatures } from "./protocol-signatures.ts";
import type { ParsedCall } from "./read-body.ts";
import { sameShape, type TrackedValue, typeText } from "./tracked-value.ts";

const isShared = ({ form }: TrackedValue): boolean => form === "share" || form === "replicated";

export interface CallCheck {
  readonly gives: ProtocolSignature["result"];
  readonly problems: readonly Omit<Finding, "at">[];
}

/** A protocol takes the forms of its row, and gives the shape of the operator that it computes. */
export function checkProtocolCall(
  call: ParsedCall,
  { setting }: ParsedProgramText,
  spec: ParsedSpec,
  type: ParsedShareType,
  operands: readonly TrackedValue[],
): CallCheck {
  const functionality = protocolSignatures.get(call.callee);
  if (!functionality) {
    return { gives: "share", problems: [{ code: "MRL0903", message: `${call.callee} is not a known protocol` }] };
  }
  const { operator, operands: takes, result: gives, settings } = functionality;
  const problems = operands.flatMap(({ form }, index) => {
    const wanted = takes[Math.min(index, takes.length - 1)]!;
    if (form === wanted) return [];
    return [
      { code: "MRL0904", message: `${call.result}: ${call.callee} takes a ${wanted} operand, not a ${form} one` },
    ];
  });
  if (operands.length === 0)
    problems.push({ code: "MRL0904", message: `${call.result}: ${call.callee} without operand` });
  const shapes = operands.map((operand) => operand.type.shape);
  problems.push(...shapeProblems(call, protocolShapes.get(operator)!(shapes, spec.attrs, type.shape), type));
  if (operands[0] && !ringFits(operator, operands[0].type, type, spec.attrs)) {
    const said = `${type.width} bits, ${type.scale} fractional`;
    problems.push({ code: "MRL0907", message: `${call.result} of ${said} is not what ${operator} gives` });
  }
  if (!settings.includes(setting)) {
    problems.push({ code: "MRL0904", message: `${call.callee} is not for the setting ${setting}` });
  }
  return { gives, problems };
}

/** A result has the shape that its operator gives: a larger value does not pass for a smaller one. */
function shapeProblems(
  { callee, result }: ParsedCall,
  found: readonly number[] | undefined,
  type: ParsedShareType,
): CallCheck["problems"] {
  if (found && sameShape(found, type.shape)) return [];
  const is = found ? `[${found.join(", ")}]` : "nothing";
  return [{ code: "MRL0907", message: `${result} is declared as ${typeText(type)}; ${callee} gives ${is}` }];
}

/** Operators that take a value that only the server knows: it joins the server's share. */
const acceptsServerOperand: ReadonlySet<string> = new Set(["add", "sub", "concat"]);

/** Takes shares and public integers; a value that only the server knows may be added or concatenated. */
export function checkLocalCall(
  call: ParsedCall,
  spec: ParsedSpec,
  type: ParsedShareType,
  operands: readonly TrackedValue[],
): CallCheck {
  const { callee, result } = call;
  const shape = localShapes.get(callee);
  if (!shape) return { gives: "share", problems: [{ code: "MRL0903", message: `${callee} is not a local operator` }] };
  const shared = operands.filter(isShared);
  const gives = shared[0]?.form === "replicated" ? "replicated" : "share";
  const fits = ({ form }: TrackedValue): boolean =>
    form === gives ||
    form === "public" ||
    (form === "server" && acceptsServerOperand.has(callee)) ||
    (form === "weight" && gives === "replicated");
  const misfits = operands.filter((operand) => !fits(operand));
  const problems = misfits.map(({ form }) => ({
    code: "MRL0904",
    message: `${result}: a party cannot compute ${callee} with a ${form} operand`,
  }));
  if (shared.length === 0) problems.push({ code: "MRL0904", message: `${result}: ${callee} has no shared operand` });
  const shapes = operands.map((operand) => operand.type.shape);
  problems.push(...shapeProblems(call, shape(shapes, spec.attrs, type.shape), type));
  const widths = shared.map((operand) => operand.type.width);
  const kept =
    callee === "narrow" ? widths.every((width) => type.width <= width) : widths.every((w) => w === type.width);
  if (!kept)
    problems.push({ code: "MRL0907", message: `${result} of ${type.width} bits is computed from ${widths} bits` });
  return { gives, problems };
}
