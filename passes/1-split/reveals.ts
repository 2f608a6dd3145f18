import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { Label } from "../../ir/label.ts";
import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import { producersOf, usersOf } from "../../ir/uses.ts";
import { formatOp } from "../graph.ts";

export interface Reveal {
  /** An output of the model, by its ONNX name or its value. */
  readonly output: string;
  readonly to: "client" | "server";
}

interface RevealContext {
  readonly module: Module;
  readonly labels: ReadonlyMap<ValueId, Label>;
  readonly sources: ReadonlyMap<ValueId, string>;
  /** Why a param or input has its label, said by whoever gave it: `declared by --adapter ./date-lora`. */
  readonly reasons: ReadonlyMap<ValueId, string>;
}

const nameOf = ({ sources }: RevealContext, id: ValueId): string => sources.get(id) ?? id;

/** Who reads each output: what was declared, if every declaration is right and none is missing. */
export function checkReveals(
  context: RevealContext,
  declared: readonly Reveal[],
): { readonly readers: ReadonlyMap<ValueId, Reveal["to"]>; readonly problems: readonly Diagnostic[] } {
  const { module, labels } = context;
  const problems: Diagnostic[] = [...computedAfterReveal(context)];
  const readers = new Map<ValueId, Reveal["to"]>();
  for (const { output, to } of declared) {
    const id = module.outputs.find((candidate) => candidate === output || nameOf(context, candidate) === output);
    if (id === undefined) problems.push(notAnOutput(context, output));
    else readers.set(id, to);
  }
  const [first, ...others] = module.outputs.filter((id) => needsReveal(labels.get(id)!) && !readers.has(id));
  if (first !== undefined) problems.push(undeclared(context, first, others));
  return { readers, problems };
}

/** A value that the client does not know yet is an output only if somebody says so. */
export const needsReveal = (label: Label): boolean => label === "shared" || label === "server";

function notAnOutput(context: RevealContext, output: string): Diagnostic {
  const { module, sources } = context;
  const inner = Object.hasOwn(module.values, output) || [...sources.values()].includes(output);
  const help = `outputs: ${module.outputs.map((id) => nameOf(context, id)).join(", ")}`;
  if (!inner) return { code: "MRL0302", message: `--reveal names "${output}", which the model has not`, help };
  const message = `--reveal names "${output}", a value inside the model: opening it leaks an intermediate activation`;
  return { code: "MRL0303", message, help };
}

/** MPC, then a value opened, then MPC again: what is opened in the middle was never promised to anybody. */
function computedAfterReveal({ module }: RevealContext): readonly Diagnostic[] {
  const users = usersOf(opsOf(module));
  return opsOf(module)
    .filter((op) => op.name === "reveal" && users.has(op.result))
    .map((op) => ({
      code: "MRL0303",
      message: `%${op.result} is opened in the middle of the model, and computed with again`,
      at: op.origin,
      because: [formatOp(op), ...users.get(op.result)!.map((user) => `${formatOp(user)} reads it`)],
      help: "only outputs may be revealed: keep the value secret up to the output",
    }));
}

/** The first of them, and the names of the others: the cache of a decoder has two for each layer. */
function undeclared(context: RevealContext, id: ValueId, others: readonly ValueId[]): Diagnostic {
  const name = nameOf(context, id);
  const at = producersOf(opsOf(context.module)).get(id)?.origin;
  const names = others.map((other) => nameOf(context, other)).join(", ");
  const rest = others.length > 0 ? `; other outputs are left out unless they are named too: ${names}` : "";
  return {
    code: "MRL0301",
    message: `output "${name}" would show the client a value computed from the server's weights`,
    ...(at && { at }),
    because: causes(context, id),
    help: `if this is the result the client should receive, say so: --reveal ${name}:client${rest}`,
  };
}

/** The first server value on the way to the output, and where it met the client's. */
function causes({ module, labels, reasons }: RevealContext, output: ValueId): readonly string[] {
  const producers = producersOf(opsOf(module));
  const reason = (id: ValueId): string => {
    const weight = module.params[id];
    const why = reasons.get(id) ?? (weight === undefined ? "an input" : `weight "${weight}"`);
    return `%${id} is server (${why})`;
  };
  let at = output;
  for (;;) {
    const op = producers.get(at);
    if (!op) return [reason(at)];
    const earlier =
      op.operands.find((id) => labels.get(id) === labels.get(at)) ??
      op.operands.find((id) => labels.get(id) === "shared");
    if (earlier !== undefined) {
      at = earlier;
      continue;
    }
    const server = op.operands.filter((id) => labels.get(id) === "server");
    return [
      ...server.map((id) => (producers.has(id) ? `%${id} is server` : reason(id))),
      `${formatOp(op)}   becomes shared`,
    ];
  }
}
