import { type Diagnostic, DiagnosticError } from "../../ir/diagnostic.ts";
import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import { sizeOf } from "../../ir/type.ts";
import type { LoadedModel } from "../load/index.ts";
import { noParameterName, type OwnershipRecord } from "../ownership/index.ts";

/** Codes of what a bound or a protocol would allow, if the compiler knew a number of the model. */
const dependsOnNumbers: ReadonlySet<string> = new Set(["MRL0501", "MRL0504", "MRL0505", "MRL0520", "MRL0521"]);
/** How far before the refused node a constant is named: y = log(sigmoid(x) + 1) is refused at the logarithm. */
const nearby = 3;
const maxNamed = 3;

/** Runs the work; its diagnostics say which weights near the node are private without being named, and by which option. */
export function explainingOwnership<T>(loaded: LoadedModel, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    throw new DiagnosticError(error.diagnostics.map((diagnostic) => explained(loaded, diagnostic)));
  }
}

function explained({ imported, ownership }: LoadedModel, diagnostic: Diagnostic): Diagnostic {
  const { code, at, because = [] } = diagnostic;
  if (!dependsOnNumbers.has(code) || at === undefined) return diagnostic;
  const { module, storedWeights } = imported;
  const near = weightsNear(module, at).map((param) => storedWeights.get(param)?.weight ?? param);
  const unmeant = ownership.table.filter((line) => near.includes(line.name) && isUnmeant(line, imported));
  const reasons = unmeant
    .slice(0, maxNamed)
    .map(({ name, why }) => `${name} is private: ${why}; --public '${name}' makes it public`);
  return reasons.length === 0 ? diagnostic : { ...diagnostic, because: [...because, ...reasons] };
}

/** Whether no option may have meant this weight: it has no parameter's name, or is a number that `*` matches. */
function isUnmeant({ name, label, why }: OwnershipRecord, { weights }: LoadedModel["imported"]): boolean {
  if (label !== "server") return false;
  const value = weights.get(name);
  const isNumber = value !== undefined && sizeOf(value.shape) === 1;
  return why.startsWith(noParameterName) || (isNumber && /^named by --private .*[*?]/.test(why));
}

/** Names of the weights that the node at this place and its nearest predecessors take. */
function weightsNear(module: Module, origin: string): readonly string[] {
  const makers = new Map(opsOf(module).map((op) => [op.result, op]));
  const found = new Set<string>();
  let front: readonly ValueId[] = opsOf(module)
    .filter((op) => op.origin === origin)
    .flatMap((op) => op.operands);
  for (let step = 0; step < nearby; step++) {
    for (const id of front) {
      const weight = module.params[id];
      if (weight !== undefined) found.add(weight);
    }
    front = front.flatMap((id) => makers.get(id)?.operands ?? []);
  }
  return [...found];
}
