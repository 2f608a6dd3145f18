// One case in the worker thread: what became of it, and the smallest file with the same fault.
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { caseOf, type FuzzCase, tryCase } from "./cases.ts";

/** What became of a case. */
export interface CaseReport {
  readonly seed: number;
  readonly kind: string;
  readonly outcome: "read" | "refused" | "skipped" | "crashed";
  /** Of a crash: the same text for the same fault. */
  readonly fault?: string;
  readonly stack?: string | undefined;
  /** The smallest file found that has this fault. */
  readonly minimal?: Uint8Array;
}

/** Undefined where the case was refused with a code of its own; an internal error (MRL0408) is a fault. */
function faultOf(error: unknown, kind: string): string | undefined {
  if (error instanceof DiagnosticError) {
    const internal = error.diagnostics.find(({ code }) => code === "MRL0408");
    return internal && `MRL0408 ${internal.message}`.slice(0, 200);
  }
  if (!(error instanceof Error)) return `thrown: ${String(error).slice(0, 120)} at ${kind}`;
  const frame = error.stack
    ?.split("\n")
    .find((line) => line.includes("/dist/"))
    ?.replace(/.*\/dist\//, "")
    .replace(/\)$/, "");
  return `${error.name}: ${error.message.slice(0, 120)} at ${frame ?? kind}`;
}

function attempt(kind: string, bytes: Uint8Array, compiles: boolean): Pick<CaseReport, "outcome" | "fault" | "stack"> {
  try {
    tryCase(kind, bytes, compiles);
    return { outcome: "read" };
  } catch (error) {
    const fault = faultOf(error, kind);
    if (fault === undefined) return { outcome: "refused" };
    return { outcome: "crashed", fault, stack: error instanceof Error ? error.stack : undefined };
  }
}

const minimizeMs = 10_000;

/** Leaves out halves, quarters, … of the file for as long as the fault stays the same. */
function minimize(kind: string, bytes: Uint8Array, compiles: boolean, fault: string): Uint8Array {
  let smallest = bytes;
  const deadline = Date.now() + minimizeMs;
  for (let length = smallest.length >> 1; length > 0; length >>= 1) {
    for (let at = 0; at < smallest.length && Date.now() < deadline; ) {
      const shorter = Uint8Array.from(Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + length)]));
      if (attempt(kind, shorter, compiles).fault === fault) smallest = shorter;
      else at += length;
    }
  }
  return smallest;
}

export function reportOf(seed: number): CaseReport {
  const { kind, bytes, compiles }: FuzzCase = caseOf(seed);
  if (!bytes) return { seed, kind, outcome: "skipped" };
  const found = attempt(kind, bytes, compiles);
  if (found.fault === undefined) return { seed, kind, ...found };
  return { seed, kind, ...found, minimal: minimize(kind, bytes, compiles, found.fault) };
}
