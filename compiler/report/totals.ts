import type { LinkBytes } from "../../runtime/session/predict.ts";

export interface Phase {
  readonly rounds: number;
  /** Links that carry nothing are left out. */
  readonly bytes: Readonly<Partial<LinkBytes>>;
}

/** Setup once per session, the others per query. */
export type Totals = Readonly<Record<"setup" | "offline" | "online", Phase>>;
