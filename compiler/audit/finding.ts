/** Something that stands against a build. Printed as every diagnostic of marillc is. */
export interface Finding {
  /** `MRL09` and two digits: docs/diagnostics.md. */
  readonly code: string;
  readonly message: string;
  /** File, and line where there is one. */
  readonly at: string;
  readonly help?: string;
}

export type Role = "client" | "server" | "dealer";
export const roles: readonly Role[] = ["client", "server", "dealer"];
