import type { Finding } from "./finding.ts";
import type { ParsedModule, ParsedOp } from "./parse-mir.ts";
import type { ParsedManifest } from "./read-manifest.ts";

/** A range check of a guard: for which values it sets the bit of the client. */
export interface GuardedValue {
  readonly value: string;
  readonly at: string;
  readonly shape: readonly number[];
  readonly lo: number;
  readonly hi: number;
}

/** Tolerance of a guard beyond the declared range: what rounding may add, at most. */
const roundingPart = 1 / 64;
const roundingUnits = 4;

const checksOf = ({ steps }: ParsedModule, bit: string): readonly ParsedOp[] => {
  const ops = steps.flat();
  const any = ops.find(({ result }) => result === bit)?.operands[0];
  return ops.filter(({ operator, result }) => operator === "outside" && result !== any);
};

export const guardedValues = (module: ParsedModule, { guard }: ParsedManifest): readonly GuardedValue[] =>
  (guard ? checksOf(module, guard.value) : []).map(({ operands, origin, type: { shape }, attrs: { lo, hi } }) => ({
    ...{ value: operands[0] ?? "", at: origin, shape, lo: Number(lo), hi: Number(hi) },
  }));

/**
 * Checks what the bit of a guard can say: every range check tests the declared range of its operand, with the tolerance
 * for rounding and no other threshold, so that queries within the ranges learn nothing; and the manifest counts them.
 * Without a guard there is no range check.
 */
export function checkGuardBounds(module: ParsedModule, { guard }: ParsedManifest, file: string): readonly Finding[] {
  const checks = checksOf(module, guard?.value ?? "");
  const types = new Map(module.steps.flat().map(({ result, type }) => [result, type]));
  const messages: string[] = [];
  for (const { result, operands, attrs, type } of checks) {
    const operand = types.get(operands[0] ?? "");
    const scale = Number(/^fx\d+\.(-?\d+)$/.exec(operand?.element ?? "")?.[1]);
    const { lo, hi } = attrs;
    if (!operand?.range || Number.isNaN(scale) || typeof lo !== "number" || typeof hi !== "number") {
      messages.push(`tests ${operands[0]}, which has no declared range`);
      continue;
    }
    if (!guard) messages.push(`tests ${operands[0]}; the manifest has no guard`);
    if (type.shape.join() !== operand.shape.join()) messages.push(`tests another shape than that of ${operands[0]}`);
    const allowed = allowedBounds(operand.range, 2 ** -scale);
    if (!(allowed.lo.least <= lo && lo <= allowed.lo.most && allowed.hi.least <= hi && hi <= allowed.hi.most)) {
      messages.push(
        `tests at ${result} whether ${operands[0]} leaves [${lo}, ${hi}], not its declared range [${operand.range.join(", ")}]`,
      );
    }
  }
  if (guard) messages.push(...unlikeManifest(checks, guard), ...narrowCounts(module, checks));
  return messages.map((message) => ({ code: "MRL0916", message: `the guard ${message}`, at: file }));
}

/** Bounds are multiples of the unit of the operand's scale; those of the range are rounded towards its middle. */
function allowedBounds([lo, hi]: readonly [number, number], unit: number) {
  const most = Math.max(Math.abs(lo), Math.abs(hi)) * roundingPart + roundingUnits * unit;
  return {
    lo: { least: lo - most, most: Math.ceil(lo / unit) * unit },
    hi: { least: Math.floor(hi / unit) * unit, most: hi + most },
  };
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** What the manifest says of its guard: the headroom, how many elements it checks, and of which layers. */
function unlikeManifest(
  checks: readonly ParsedOp[],
  { headroom, elements, layers }: NonNullable<ParsedManifest["guard"]>,
): readonly string[] {
  const tested = checks.reduce((sum, { type }) => sum + sizeOf(type.shape), 0);
  const isOf = (layer: string, { origin, result }: ParsedOp): boolean =>
    layer === origin || (origin === "" && layer.startsWith("%") && result.startsWith(`${layer.slice(1)}.outside`));
  return [
    ...(headroom !== undefined && checks.every(({ attrs }) => attrs.headroom === headroom)
      ? []
      : [`has another headroom than the manifest's ${headroom}`]),
    ...(tested === elements ? [] : [`tests ${tested} elements; the manifest says ${elements}`]),
    ...checks
      .filter((op) => layers?.some((layer) => isOf(layer, op)) !== true)
      .map(({ origin, result }) => `tests ${origin || result}, of no layer that the manifest lists`),
    ...(layers ?? [])
      .filter((layer, k) => layers?.indexOf(layer) !== k || !checks.some((op) => isOf(layer, op)))
      .map((layer) => `does not test ${JSON.stringify(layer)}; the manifest lists it`),
  ];
}

/** Sums of range checks in a ring that cannot hold them: they would tell a parity. */
function narrowCounts({ steps }: ParsedModule, checks: readonly ParsedOp[]): readonly string[] {
  const elements = checks.reduce((sum, { type }) => sum + sizeOf(type.shape), 0);
  const counts = new Set(checks.map(({ result }) => result));
  const found: string[] = [];
  for (const { operator, operands, result, type } of steps.flat()) {
    if (!operands.some((each) => counts.has(each))) continue;
    counts.add(result);
    const width = Number(/^fx(\d+)\./.exec(type.element)?.[1]);
    if ((operator === "add" || operator === "reduce-sum") && !(elements < 2 ** (width - 1)))
      found.push(`counts ${elements} elements at ${result}, in ${width} bits`);
  }
  return found;
}
