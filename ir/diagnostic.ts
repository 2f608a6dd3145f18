import { printable } from "./printable.ts";

/** A problem in the user's input, written for the person who must fix it. ir/README.md lists the codes. */
export interface Diagnostic {
  /** `MRL` and four digits; the hundreds name the stage. */
  readonly code: string;
  readonly message: string;
  /** The ONNX node, file or option concerned. */
  readonly at?: string;
  readonly because?: readonly string[];
  readonly help?: string;
}

/** Most diagnostics in the text of an error; its `diagnostics` hold all. */
const maxListed = 1000;

/** One or more diagnostics: a stage collects all problems before it fails. */
export class DiagnosticError extends Error {
  readonly diagnostics: readonly Diagnostic[];
  constructor(diagnostics: readonly Diagnostic[]) {
    const [first, rest] = [diagnostics.slice(0, maxListed), diagnostics.length - maxListed];
    super([...first.map(formatDiagnostic), ...(rest > 0 ? [`and ${rest} more`] : [])].join("\n"));
    this.name = "DiagnosticError";
    this.diagnostics = diagnostics;
  }
}

export function fail(diagnostic: Diagnostic): never {
  throw new DiagnosticError([diagnostic]);
}

export function throwIfAny(diagnostics: readonly Diagnostic[]): void {
  if (diagnostics.length > 0) throw new DiagnosticError(diagnostics);
}

/** `error MRL0301: …` with its location, causes and help indented below. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const lines = [`error ${diagnostic.code}: ${printable(diagnostic.message)}`];
  if (diagnostic.at) lines.push(`  at      ${printable(diagnostic.at)}`);
  diagnostic.because?.forEach((cause, index) => {
    lines.push(`${index === 0 ? "  because " : "          "}${printable(cause)}`);
  });
  if (diagnostic.help) lines.push(`  help    ${printable(diagnostic.help)}`);
  return lines.join("\n");
}
