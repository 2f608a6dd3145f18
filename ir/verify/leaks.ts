import type { Diagnostic } from "../diagnostic.ts";
import { join } from "../label.ts";
import type { Op, ValueId } from "../module.ts";
import { typedOps, type VerifyContext, type VerifyRule } from "./context.ts";

/** Operators that only rearrange elements: a reveal before them reveals the same as one after them. */
const layout: ReadonlySet<string> = new Set(["reshape", "transpose"]);

/** A revealed value stays outside: computing on it under MPC again would be a second protocol on its result. */
function computedAfterReveal(context: VerifyContext): readonly Diagnostic[] {
  const learned = new Map<ValueId, string>();
  const found: Diagnostic[] = [];
  for (const { op, operands, at } of typedOps(context)) {
    const from = op.operands.map((id) => learned.get(id)).find((name) => name !== undefined);
    if (from !== undefined && op.name === "share") {
      found.push({
        code: "MRL0331",
        message: `expected a value that was never shared, found %${op.operands[0]}, which derives from revealed %${from}`,
        at,
      });
    } else if (from !== undefined && join(...operands.map((operand) => operand.label)) === "shared") {
      found.push({
        code: "MRL0330",
        message: `expected only local operators on revealed %${from}, found ${op.name} with values that its reader does not know`,
        at,
      });
    }
    if (op.name === "reveal") learned.set(op.result, op.result);
    else if (from !== undefined) learned.set(op.result, from);
  }
  return found;
}

/** A party learns the declared outputs and no intermediate value. */
function undeclaredReveals({ module, ops, users }: VerifyContext): readonly Diagnostic[] {
  const outputs = new Set(module.outputs);
  const isOutput = (id: ValueId): boolean => {
    if (outputs.has(id)) return true;
    const next = users.get(id) ?? [];
    return next.length > 0 && next.every((op) => layout.has(op.name) && isOutput(op.result));
  };
  return ops
    .filter((op) => op.name === "reveal" && !isOutput(op.result))
    .map((op) => ({
      code: "MRL0332",
      message: `expected to reveal declared outputs only, found %${op.result}`,
      at: op.origin === "" ? `%${op.result}` : `${op.origin} (%${op.result})`,
      help: "declare it as an output, or keep it shared",
    }));
}

/** What passes between programs does nothing else in them: residues are kept, or taken over, and never computed with. */
function residuesElsewhere({ module, ops, users }: VerifyContext): readonly Diagnostic[] {
  const kept = ops.filter(
    ({ name, result }) => name === "hand-over" && !(module.outputs.includes(result) && !users.has(result)),
  );
  const taken = ops.filter(
    ({ name, operands: [id] }) =>
      name === "take-over" && !(module.inputs.includes(id!) && users.get(id!)?.length === 1),
  );
  const say = (code: string, message: string, help: string, op: Op): Diagnostic => ({
    ...{ code, message: `${message}, found %${op.result}`, at: `%${op.result}`, help },
  });
  return [
    ...kept.map((op) =>
      say("MRL0333", "expected a result that is handed over to be an output alone", "read what hand-over reads", op),
    ),
    ...taken.map((op) =>
      say("MRL0334", "expected to take over an input that nothing else reads", "read the result of take-over", op),
    ),
  ];
}

export const revealRules: readonly VerifyRule[] = [
  { from: "split", check: computedAfterReveal },
  { from: "split", check: undeclaredReveals },
  { from: "split", check: residuesElsewhere },
];
