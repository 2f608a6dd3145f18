import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { Label } from "../../ir/label.ts";
import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import { producersOf, usersOf } from "../../ir/uses.ts";
import { formatOp } from "../graph.ts";

/** A party that may learn an output; `shared`: nobody, and each party keeps its residue for a later program. */
export type Reader = "client" | "server" | "shared";

export interface Reveal {
  /** Output of the model: its ONNX name or its value. */
  readonly output: string;
  readonly to: Reader;
}

/** The declared readers of each output, in the order client, server, shared. */
export type Readers = ReadonlyMap<ValueId, readonly Reader[]>;

interface RevealContext {
  readonly module: Module;
  readonly labels: ReadonlyMap<ValueId, Label>;
  readonly sources: ReadonlyMap<ValueId, string>;
  /** Why a param or input has its label, as in `declared by --adapter ./date-lora`. */
  readonly reasons: ReadonlyMap<ValueId, string>;
}

const allReaders: readonly Reader[] = ["client", "server", "shared"];

const nameOf = ({ sources }: RevealContext, id: ValueId): string => sources.get(id) ?? id;

/** The declared readers of each output, and the problems of wrong and missing declarations. */
export function checkReveals(
  context: RevealContext,
  declared: readonly Reveal[],
): { readonly readers: Readers; readonly problems: readonly Diagnostic[] } {
  const { module, labels } = context;
  const problems: Diagnostic[] = [...computedAfterReveal(context)];
  const readers = new Map<ValueId, readonly Reader[]>();
  for (const { output, to } of declared) {
    const id = module.outputs.find((candidate) => candidate === output || nameOf(context, candidate) === output);
    if (id === undefined) problems.push(notAnOutput(context, output));
    else
      readers.set(
        id,
        allReaders.filter((each) => each === to || readers.get(id)?.includes(each)),
      );
  }
  const [first, ...others] = module.outputs.filter((id) => needsReveal(labels.get(id)!) && !readers.has(id));
  if (first !== undefined) problems.push(undeclared(context, first, others));
  return { readers, problems };
}

/** Whether an output needs a declaration: the client does not know its value yet. */
const needsReveal = (label: Label): boolean => label === "shared" || label === "server";

/**
 * The readers to whom the secure part opens each output. The client knows what is its own or public already. The server
 * learns every output that names it through the secure part: it runs none of the client's layers.
 */
export function openings(
  { module, labels }: Pick<RevealContext, "module" | "labels">,
  readers: Readers,
  isConstant: (id: ValueId) => boolean,
): Readers {
  const opened = module.outputs.map((id): [ValueId, readonly Reader[]] => {
    const clientKnows = !needsReveal(labels.get(id)!);
    const needed = (readers.get(id) ?? []).filter((to) => to !== "client" || !clientKnows);
    return [id, isConstant(id) && clientKnows ? [] : needed];
  });
  return new Map(opened.filter(([, to]) => to.length > 0));
}

function notAnOutput(context: RevealContext, output: string): Diagnostic {
  const { module, sources } = context;
  const inner = Object.hasOwn(module.values, output) || [...sources.values()].includes(output);
  const help = `outputs: ${module.outputs.map((id) => nameOf(context, id)).join(", ")}`;
  if (!inner) return { code: "MRL0302", message: `--reveal: expected an output of the model, found "${output}"`, help };
  const message = `--reveal: expected an output of the model, found "${output}", an intermediate value: opening it would leak it`;
  return { code: "MRL0303", message, help };
}

/** MPC, then an opened value, then MPC again: no declaration allows to open a value in between. */
function computedAfterReveal({ module }: RevealContext): readonly Diagnostic[] {
  const users = usersOf(opsOf(module));
  return opsOf(module)
    .filter((op) => op.name === "reveal" && users.has(op.result))
    .map((op) => ({
      code: "MRL0303",
      message: `expected to reveal outputs only, found %${op.result}, which later operators read`,
      at: op.origin,
      because: [formatOp(op), ...users.get(op.result)!.map((user) => `${formatOp(user)} reads it`)],
      help: "keep the value shared up to the output: only outputs may be revealed",
    }));
}

/** Reports the first undeclared output and names the others: the cache of a decoder has two for each layer. */
function undeclared(context: RevealContext, id: ValueId, others: readonly ValueId[]): Diagnostic {
  const name = nameOf(context, id);
  const at = producersOf(opsOf(context.module)).get(id)?.origin;
  const names = others.map((other) => nameOf(context, other)).join(", ");
  const rest = others.length > 0 ? `; outputs without a --reveal of their own are left out: ${names}` : "";
  return {
    code: "MRL0301",
    message: `output "${name}" would reveal to the client a value computed from private weights`,
    ...(at && { at }),
    because: causes(context, id),
    help: `if the client should receive this result, add --reveal ${name}:client${rest}`,
  };
}

/** The first private value on the path to the output, and the op that combines it with the client's value. */
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
