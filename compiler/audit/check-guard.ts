import type { Finding } from "./finding.ts";
import type { ParsedProgramText } from "./parse-program.ts";
import type { ParsedCall } from "./read-body.ts";
import type { ParsedManifest } from "./read-manifest.ts";
import type { ValueFlow } from "./track-values.ts";

/** Calls between range checks and the bit of the guard: they count set bits, and tell whether there is any. */
const counting: ReadonlySet<string> = new Set([
  "oneWayReveal",
  "maskedOpen",
  "bitExtend",
  "localCast",
  "narrow",
  "reshape",
  "reduce-sum",
  "add",
  "maskedExtend",
]);
const rangeCheck = "thresholdOutside";

/**
 * Checks that the bit of the guard, which the client learns beside the declared outputs, is one bit and says nothing but
 * whether any range check is set: 1{count ≠ 0} of a sum of range checks.
 */
export function checkGuard(
  program: ParsedProgramText,
  flow: ValueFlow,
  { guard }: ParsedManifest,
  file: string,
): readonly Finding[] {
  if (!guard) return [];
  const differ = (message: string): Finding => ({ code: "MRL0916", message: `the guard ${message}`, at: file });
  const findings: Finding[] = [];
  const declared = program.outputs.get(guard.value);
  if (declared && (declared.width !== 1 || declared.scale !== 0 || declared.to !== "client")) {
    findings.push(differ(`opens ${declared.width} bits to the ${declared.to}, not one bit to the client`));
  }
  const calls = new Map(program.calls.map((call) => [call.result, call]));
  const [reveal, any] = pathOf(program.returns.get(guard.value), calls);
  const isZeroTest = any?.callee === rangeCheck && boundsOf(any, program).every((bound) => bound === 0);
  if (reveal?.callee !== "oneWayReveal" || !isZeroTest) {
    return [...findings, differ("does not open whether a count of range checks is 0")];
  }
  const strange = new Set<string>();
  const seen = new Set<string>();
  const waiting = operandsOf(any);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const call = calls.get(id);
    if (seen.has(id) || call?.callee === rangeCheck) continue;
    seen.add(id);
    if (!call || !counting.has(call.callee) || call.args.some(({ kind }) => kind !== "value")) strange.add(id);
    else waiting.push(...operandsOf(call));
  }
  const opened = flow.opened.filter(({ value }) => value === guard.value).length;
  if (opened !== 1) findings.push(differ(`opens its bit ${opened} times`));
  return [...findings, ...[...strange].map((id) => differ(`counts ${id}, which is no range check`))];
}

/** A call, and the one that computes its only operand. */
function pathOf(id: string | undefined, calls: ReadonlyMap<string, ParsedCall>): readonly (ParsedCall | undefined)[] {
  const reveal = calls.get(id ?? "");
  return [reveal, calls.get(reveal?.args[0]?.name ?? "")];
}

const operandsOf = ({ args }: ParsedCall): string[] => args.map(({ name }) => name);

const boundsOf = ({ result }: ParsedCall, { specs }: ParsedProgramText): readonly unknown[] => {
  const attrs = specs.get(result)?.attrs;
  return [attrs?.lo, attrs?.hi];
};
