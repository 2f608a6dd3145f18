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

/** In the text of an error; its list has all. */
const maxListed = 1000;

/** Several diagnostics at once: a stage collects all it finds before it gives up. */
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

/** Names come from files: as long as they like, with whatever would steer a terminal. */
const maxNameLength = 4000;
const controlCharacters = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

export function printable(text: string): string {
  const cut =
    text.length > maxNameLength ? `${text.slice(0, maxNameLength / 2)} … ${text.slice(-maxNameLength / 2)}` : text;
  return cut.replace(controlCharacters, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** `error MRL0301: …` with its place, causes and help indented below. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const lines = [`error ${diagnostic.code}: ${printable(diagnostic.message)}`];
  if (diagnostic.at) lines.push(`  at      ${printable(diagnostic.at)}`);
  diagnostic.because?.forEach((cause, index) => {
    lines.push(`${index === 0 ? "  because " : "          "}${printable(cause)}`);
  });
  if (diagnostic.help) lines.push(`  help    ${printable(diagnostic.help)}`);
  return lines.join("\n");
}
