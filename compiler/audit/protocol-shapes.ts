import {
  axisOf,
  broadcast,
  broadcastAll,
  convolved,
  gathered,
  type LiteralAttrs,
  matmul,
  pooled,
  reduced,
  type ShapeList,
  type ShapeRule,
  sameAsFirst,
} from "./local-shapes.ts";
import type { ParsedShareType } from "./parse-program.ts";

const attention: ShapeRule = ([q, k, v, mask]) => {
  if (!q || !k || !v || [q, k, v].some((shape) => shape.length !== 4)) return undefined;
  const fits = q[0] === k[0] && q[3] === k[3] && q[1]! % k[1]! === 0 && k.slice(0, 3).join() === v.slice(0, 3).join();
  const scores = [q[0]!, q[1]!, q[2]!, k[2]!];
  const masked = !mask || broadcast(mask, scores)?.join() === scores.join();
  return fits && masked ? [...q.slice(0, 3), v[3]!] : undefined;
};

/** The earlier positions come before the own ones. */
const cachedAttention: ShapeRule = ([q, k, v, pastK, pastV], attrs, said) => {
  if (!k || !v || !pastK || !pastV) return undefined;
  const joined = (past: ShapeList, own: ShapeList): ShapeList => own.with(2, past[2]! + own[2]!);
  return attention([q!, joined(pastK, k), joined(pastV, v)], attrs, said);
};

const lowRank: ShapeRule = ([x, a, ...factors], attrs, said) => {
  const low = matmul([x!, a!], attrs, said);
  const rows = factors.reduce((sum, b) => sum + b[0]!, 0);
  const columns = factors.reduce((sum, b) => sum + b[1]!, 0);
  return low && factors.every((b) => b.length === 2) && rows === low.at(-1)
    ? [...low.slice(0, -1), columns]
    : undefined;
};

const lookup: ShapeRule = ([x, table], attrs) =>
  x && table && table[0] === 2 ** Number(attrs.bits) ? [...x, ...table.slice(1)] : undefined;

const selectByRank: ShapeRule = ([ranks, x], attrs) => {
  const count = Number(attrs.count);
  if (!ranks || (x && x.join() !== ranks.join()) || !(count >= 1)) return undefined;
  const axis = axisOf(attrs.axis, ranks.length);
  return count <= ranks[axis]! ? ranks.with(axis, count) : undefined;
};

const sameNames =
  "share take-over hand-over open reveal extend truncate cast not abs sign outside relu clip erf gelu sigmoid silu tanh exp log reciprocal rsqrt sqrt square sine-series rank softmax layer-norm rms-norm";
const broadcastNames = "mul compare logic where maximum minimum";
const reducing: ShapeRule = ([x], attrs) =>
  x && reduced(x, Array.isArray(attrs.axes) ? (attrs.axes as readonly number[]) : [Number(attrs.axis)], attrs);

/** The shape of a result by the operator that the protocol computes. */
export const protocolShapes: ReadonlyMap<string, ShapeRule> = new Map<string, ShapeRule>([
  ...sameNames.split(" ").map((name) => [name, sameAsFirst] as const),
  ...broadcastNames.split(" ").map((name) => [name, broadcastAll] as const),
  ["matmul", matmul],
  ["low-rank", lowRank],
  ["conv", convolved],
  ["max-pool", pooled],
  ["attention", attention],
  ["cached-attention", cachedAttention],
  ["argmax", reducing],
  ["reduce-max", reducing],
  ["reduce-min", reducing],
  ["lookup", lookup],
  ["gather", gathered],
  ["select-by-rank", selectByRank],
]);

type Ring = Pick<ParsedShareType, "width" | "scale">;

/** What ring and scale of a result follow from, where an operator determines them; reveals are compared with outputs. */
const ringRules: Readonly<Record<string, (x: Ring, result: Ring, attrs: LiteralAttrs) => boolean>> = {
  open: (x, result) => result.width === x.width && result.scale === x.scale,
  reveal: (x, result) => result.width === x.width && result.scale === x.scale,
  "hand-over": (x, result) => result.width === x.width && result.scale === x.scale,
  "take-over": (x, result) => result.scale === x.scale,
  extend: (x, result) => result.scale === x.scale,
  share: (x, result) => result.scale === x.scale,
  truncate: (x, result, { by }) => result.scale === x.scale - Number(by),
};

export const ringFits = (operator: string, x: Ring, result: Ring, attrs: LiteralAttrs): boolean =>
  ringRules[operator]?.(x, result, attrs) ?? true;
