import type { Diagnostic } from "../diagnostic.ts";
import { exactScale, resultType, scaleOf } from "../infer.ts";
import { canFlowTo } from "../label.ts";
import { needsProtocol } from "../registry.ts";
import { printElement } from "../text/print.ts";
import { isFixed, sameShape, type TensorType } from "../type.ts";
import { type TypedOp, typedOps, type VerifyContext, type VerifyRule } from "./context.ts";

/** The type by the op tables, or why there is none. */
export function derive({ def, operands, attrs, result, at, op }: TypedOp): TensorType | Diagnostic {
  try {
    return resultType(def, operands, attrs, result);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { code: "MRL0314", message: `${op.name}: ${error.message}`, at };
  }
}

function agreement(known: TypedOp): readonly Diagnostic[] {
  const derived = derive(known);
  if ("code" in derived) return [derived];
  const { result, at, op, operands } = known;
  const found: Diagnostic[] = [];
  if (!sameShape(derived.shape, result.shape)) {
    const message = `${op.name}: expected shape [${derived.shape.join(", ")}], found [${result.shape.join(", ")}]`;
    found.push({ code: "MRL0314", message, at });
  }
  if (!canFlowTo(derived.label, result.label)) {
    found.push({
      code: "MRL0315",
      message: `expected label ${derived.label}, found ${result.label}: a party would learn the value`,
      at,
      because: op.operands.map((id, index) => `%${id} is ${operands[index]!.label}`),
      help: "only reveal moves a label down",
    });
  }
  found.push(...elements(known, derived));
  if ((derived.sharing === "masked") !== (result.sharing === "masked") && known.def.sharing) {
    const message = `${op.name}: expected a ${derived.sharing} result, found ${result.sharing ?? "none"}`;
    found.push({ code: "MRL0316", message, at });
  }
  return found;
}

/**
 * The scale of a result is the one that its operands give, whichever protocol computes it: a protocol chooses rings, and
 * a wrong scale is a wrong answer in silence. What moves, selects or adds integers keeps their scale. A product with a
 * public or private number has the sum of both, and one of two shared values at most that.
 */
function protocolScale({ result, at, op, def, operands }: TypedOp): readonly Diagnostic[] {
  const { element } = result;
  const counted = operands.filter((_, index) => !def.selectors?.includes(index));
  if (!isFixed(element) || def.element || !counted.every((operand) => isFixed(operand.element))) return [];
  const exact = exactScale(
    def,
    operands.map((operand) => scaleOf(operand.element)),
  );
  const isProduct = def.linear === "each";
  const mayDrop = isProduct && counted.filter(({ label }) => label === "shared").length > 1;
  if (mayDrop ? element.scale <= exact : element.scale === exact) return [];
  if (!isProduct && def.fixed !== "integers") return [];
  const message = `${op.name}: expected ${mayDrop ? "at most " : ""}${exact} fractional bits, as the operands give, found ${element.scale}`;
  return [{ code: "MRL0347", message, at }];
}

function elements(known: TypedOp, derived: TensorType): readonly Diagnostic[] {
  const { result, at, op, def, operands } = known;
  const [wanted, found] = [derived.element, result.element];
  const say = (code: string): readonly Diagnostic[] => [
    { code, message: `${op.name}: expected element ${printElement(wanted)}, found ${printElement(found)}`, at },
  ];
  if (!isFixed(wanted) || !isFixed(found)) return wanted.kind === found.kind ? [] : say("MRL0316");
  // A protocol may return any element, so nothing was derived there. Integers that are added must have one scale.
  const counted = operands.filter((operand, index) => isFixed(operand.element) && !def.selectors?.includes(index));
  const scales = new Set(counted.map(({ element }) => (isFixed(element) ? element.scale : 0)));
  const labels = operands.map((operand) => operand.label);
  const exact = !needsProtocol(def, labels) && def.linear === "joint" && def.fixed === "integers";
  if (exact && scales.size > 1) {
    const unequal = counted.map((operand) => printElement(operand.element)).join(", ");
    return [{ code: "MRL0343", message: `${op.name}: expected operands of one scale, found ${unequal}`, at }];
  }
  if (wanted.scale !== found.scale) return say("MRL0343");
  return protocolScale(known);
}

/** Rings agree from 5-select on, which plans them. Before, each value has the smallest ring that holds it. */
function widths({ result, at, op, def, operands }: TypedOp): readonly Diagnostic[] {
  const labels = operands.map((operand) => operand.label);
  const shared = operands.flatMap(({ label, element }, index) =>
    label === "shared" && isFixed(element) && !def.selectors?.includes(index) ? [element.width] : [],
  );
  const found = [...new Set(shared)];
  if (found.length > 1 && !needsProtocol(def, labels)) {
    return [{ code: "MRL0345", message: `${op.name}: expected operands of one width, found ${found.join(", ")}`, at }];
  }
  // What a party computes alone may take any ring.
  if (result.label !== "shared" || !(def.element || shared.length > 0) || !isFixed(result.element)) return [];
  const wanted = resultType(def, operands, op.attrs, result).element;
  if (!isFixed(wanted) || wanted.width === result.element.width) return [];
  const message = `${op.name}: expected element ${printElement(wanted)}, found ${printElement(result.element)}`;
  return [{ code: "MRL0345", message, at }];
}

export const typeRules: readonly VerifyRule[] = [
  { from: "import", check: (context: VerifyContext) => typedOps(context).flatMap(agreement) },
  { from: "select", check: (context: VerifyContext) => typedOps(context).flatMap(widths) },
];
