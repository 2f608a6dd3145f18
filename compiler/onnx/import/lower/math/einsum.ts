import { sizeOf } from "../../../../../ir/type.ts";
import { type GraphOperand, type LowerContext, type LowerTable, refuseNode, stringAttr } from "../../graph/index.ts";

/** A tensor whose axes have names: one character each. */
interface LabeledOperand {
  readonly operand: GraphOperand;
  readonly axes: readonly string[];
}

/** Names for the axes of an ellipsis, digits so that no letter collides; the last is the innermost. */
const ellipsisAxes = (count: number): string[] => Array.from({ length: count }, (_, at) => String(at + 10 - count));

/** Names of a term's axes, with the ellipsis expanded. */
function axesOf(term: string, rank: number): readonly string[] {
  const [before, behind, ...more] = term.split("...");
  if (more.length > 0 || !/^[A-Za-z]*$/.test(before! + (behind ?? ""))) refuseNode(`the einsum term "${term}"`);
  if (behind === undefined) {
    if (before!.length !== rank) refuseNode(`expected ${rank} axes in the einsum term "${term}"`);
    return [...before!];
  }
  const rest = rank - before!.length - behind.length;
  if (rest < 0 || rest > 9) refuseNode(`expected ${rank} axes in the einsum term "${term}"`);
  return [...before!, ...ellipsisAxes(rest), ...behind];
}

/** Without an arrow: the ellipsis, then the letters that occur once, sorted. */
function implicitOutput(terms: readonly (readonly string[])[]): readonly string[] {
  const all = terms.flat();
  const dots = [...new Set(all.filter((axis) => /\d/.test(axis)))].sort();
  const once = all.filter((axis) => /\D/.test(axis) && all.filter((other) => other === axis).length === 1);
  return [...dots, ...once.sort()];
}

/** Sums over the axes that are no longer needed. */
function sumOut(
  { emit }: LowerContext,
  { operand, axes }: LabeledOperand,
  wanted: ReadonlySet<string>,
): LabeledOperand {
  const gone = [...axes.keys()].filter((index) => !wanted.has(axes[index]!));
  if (gone.length === 0) return { operand, axes };
  const sum = emit("reduce-sum", [operand], { axes: gone, keepdims: false });
  return { operand: sum, axes: axes.filter((axis) => wanted.has(axis)) };
}

function permuteTo({ emit }: LowerContext, { operand, axes }: LabeledOperand, order: readonly string[]): GraphOperand {
  return emit("transpose", [operand], { perm: order.map((axis) => axes.indexOf(axis)) });
}

/**
 * Contracts two tensors as a matrix product: needed axes that both have are a batch, and other common axes are summed.
 */
function contractPair(
  context: LowerContext,
  a: LabeledOperand,
  b: LabeledOperand,
  wanted: ReadonlySet<string>,
): LabeledOperand {
  const { emit, shape } = context;
  const both = a.axes.filter((axis) => b.axes.includes(axis));
  const batch = both.filter((axis) => wanted.has(axis));
  const summed = both.filter((axis) => !wanted.has(axis));
  const [left, right] = [a, b].map(({ axes }) => axes.filter((axis) => !both.includes(axis))) as [string[], string[]];
  const dim = (axis: string): number => {
    const found = [a, b].flatMap(({ operand, axes }) =>
      axes.includes(axis) ? [shape(operand)[axes.indexOf(axis)]!] : [],
    );
    if (new Set(found).size > 1) refuseNode(`einsum axes of one name and sizes ${found.join(" and ")}`);
    return found[0]!;
  };
  const size = (axes: readonly string[]): number => sizeOf(axes.map(dim));
  const matrix = (x: LabeledOperand, rows: readonly string[], columns: readonly string[]): GraphOperand =>
    emit("reshape", [permuteTo(context, x, [...batch, ...rows, ...columns])], {
      shape: [size(batch), size(rows), size(columns)],
    });
  const matrices = emit("matmul", [matrix(a, left, summed), matrix(b, summed, right)]);
  const axes = [...batch, ...left, ...right];
  return { operand: emit("reshape", [matrices], { shape: axes.map(dim) }), axes };
}

/** Contracts from left to right, and sums each axis as soon as neither a later term nor the result has it. */
function einsum(context: LowerContext): GraphOperand {
  const { shape } = context;
  const equation = stringAttr(context, "equation", "").replaceAll(" ", "");
  const [left, right] = equation.split("->") as [string, string | undefined];
  const operands = context.inputs.map((operand) => operand ?? refuseNode("expected every operand of the equation"));
  const terms = left.split(",");
  if (terms.length !== operands.length)
    refuseNode(`expected ${terms.length} operands for "${equation}", found ${operands.length}`);
  const named = operands.map(
    (operand, at): LabeledOperand => ({ operand, axes: axesOf(terms[at]!, shape(operand).length) }),
  );
  const twice = named.find(({ axes }) => new Set(axes).size < axes.length);
  if (twice) refuseNode(`a diagonal in "${equation}"`);
  const lists = named.map(({ axes }) => axes);
  const dots = Math.max(...lists.map((axes) => axes.filter((axis) => /\d/.test(axis)).length));
  const output = right === undefined ? implicitOutput(lists) : axesOf(right, dots + right.replace("...", "").length);
  const wantedAfter = (at: number): ReadonlySet<string> => new Set([...output, ...lists.slice(at + 1).flat()]);
  const others = (at: number): ReadonlySet<string> => new Set([...output, ...lists.filter((_, k) => k !== at).flat()]);
  const [first, ...rest] = named.map((each, at) => sumOut(context, each, others(at)));
  const whole = rest.reduce((done, next, at) => contractPair(context, done, next, wantedAfter(at + 1)), first!);
  return permuteTo(context, whole, output);
}

export const einsumLowerings: LowerTable = { Einsum: einsum };
