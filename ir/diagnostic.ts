/** What is wrong with the user's input, said to the person who reads it. Codes are listed in ir/README.md. */
export interface Diagnostic {
  /** `MRL` and four digits; the hundreds name the stage. */
  readonly code: string;
  readonly message: string;
  /** ONNX node, file, or option that it is about. */
  readonly at?: string;
  readonly because?: readonly string[];
  readonly help?: string;
}

/** Several diagnostics at once: a stage collects all it finds before it gives up. */
export class DiagnosticError extends Error {
  readonly diagnostics: readonly Diagnostic[];
  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(formatDiagnostic).join("\n"));
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

/** `error MRL0301: …` with its place, causes and help indented below. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const lines = [`error ${diagnostic.code}: ${diagnostic.message}`];
  if (diagnostic.at) lines.push(`  at      ${diagnostic.at}`);
  diagnostic.because?.forEach((cause, index) => {
    lines.push(`${index === 0 ? "  because " : "          "}${cause}`);
  });
  if (diagnostic.help) lines.push(`  help    ${diagnostic.help}`);
  return lines.join("\n");
}
