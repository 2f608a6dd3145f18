import { sameShape } from "../../../../ir/type.ts";
import type { Fusion } from "./matcher.ts";

const isIdentityPermutation = (perm: readonly number[]): boolean => perm.every((axis, index) => axis === index);

// transpose(transpose(x, p), q) = transpose(x, p ∘ q)
const doubleTranspose: Fusion = {
  name: "double-transpose",
  law: "transpose(transpose(x, p), q) = transpose(x, p ∘ q), and nothing when that is the identity",
  match: (op, { producer, emit }) => {
    const inner = op.name === "transpose" ? producer(op.operands[0]!, "transpose") : undefined;
    if (!inner) return undefined;
    const first = inner.attrs.perm as readonly number[];
    const perm = (op.attrs.perm as readonly number[]).map((axis) => first[axis]!);
    return isIdentityPermutation(perm) ? inner.operands[0]! : emit("transpose", [inner.operands[0]!], { perm });
  },
};

// reshape(reshape(x, s), t) = reshape(x, t)
const doubleReshape: Fusion = {
  name: "double-reshape",
  law: "reshape(reshape(x, s), t) = reshape(x, t)",
  match: (op, { producer, emit, type }) => {
    if (op.name !== "reshape") return undefined;
    const shape = op.attrs.shape as readonly number[];
    const [operand] = op.operands as [string];
    if (sameShape(type(operand).shape, shape)) return operand;
    const inner = producer(operand, "reshape");
    if (!inner) return undefined;
    const [source] = inner.operands as [string];
    return sameShape(type(source).shape, shape) ? source : emit("reshape", [source], { shape });
  },
};

// Swapping the last two axes commutes with joining the axes before them.
const mergedTranspose: Fusion = {
  name: "merged-transpose",
  law: "reshape(swap(reshape(x, [N, T, D])), [L…, D, T]) = swap(reshape(x, [L…, T, D])), Π L = N",
  match: (op, { producer, emit }) => {
    const swap = op.name === "reshape" ? producer(op.operands[0]!, "transpose") : undefined;
    const merge = swap && producer(swap.operands[0]!, "reshape");
    if (!swap || !merge) return undefined;
    const [, rows, columns] = merge.attrs.shape as readonly number[];
    const shape = op.attrs.shape as readonly number[];
    const [last, previous] = [shape.at(-1), shape.at(-2)];
    const perm = swap.attrs.perm as readonly number[];
    if (!sameShape(perm, [0, 2, 1]) || shape.length < 3 || last !== rows || previous !== columns) return undefined;
    const lead = shape.slice(0, -2);
    const source = emit("reshape", merge.operands, { shape: [...lead, rows!, columns!] });
    const order = [...lead.keys(), lead.length + 1, lead.length];
    return emit("transpose", [source], { perm: order });
  },
};

// A boolean, and an integer below 2^53, keeps its value in every element type that can hold it.
const castChain: Fusion = {
  name: "cast-chain",
  law: "cast(cast(x, wider), t) = cast(x, t)",
  match: (op, { producer, emit, type }) => {
    const inner = op.name === "cast" ? producer(op.operands[0]!, "cast") : undefined;
    if (!inner) return undefined;
    const [source] = inner.operands as [string];
    const from = type(source).element.kind;
    const between = inner.attrs.to;
    const lossless = from === between || from === "bool" || (from === "i64" && between === "f32");
    if (!lossless) return undefined;
    return from === op.attrs.to ? source : emit("cast", [source], { to: op.attrs.to! });
  },
};

export const layoutFusions: readonly Fusion[] = [doubleTranspose, doubleReshape, mergedTranspose, castChain];
