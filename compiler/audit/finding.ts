/** A reason to reject a build, printed like every diagnostic of marillc. */
export interface Finding {
  /** `MRL09` and two digits: docs/diagnostics.md. */
  readonly code: string;
  readonly message: string;
  /** File, and line if known. */
  readonly at: string;
  readonly help?: string;
}

export type Role = "client" | "server" | "dealer";
export const roles: readonly Role[] = ["client", "server", "dealer"];
