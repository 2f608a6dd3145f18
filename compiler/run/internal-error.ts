/** Something that cannot be, if this program is right. Codes: MRL0799, measured traffic differs from the predicted. */
export class InternalError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "InternalFault";
    this.code = code;
  }
}
