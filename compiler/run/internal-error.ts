/** A violated invariant: a bug of marillc. Code MRL0799: measured traffic differs from predicted traffic. */
export class InternalError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "InternalFault";
    this.code = code;
  }
}
