import type { ParsedShareType } from "./parse-program.ts";
import type { SharingForm } from "./protocol-signatures.ts";

/** Who knows a value in the clear; `shared`: nobody. */
export type ValueLabel = "public" | "client" | "server" | "shared";

/** Whose secrets a value was computed from. */
export type Origin = "client" | "server";

export interface TrackedValue {
  readonly label: ValueLabel;
  readonly form: SharingForm;
  readonly from: ReadonlySet<Origin>;
  /** Protocols whose rounding, by the carry of shares, no faithful truncation has followed. */
  readonly carries?: ReadonlySet<string>;
  /** The truncations that rounded it last, where they are not faithful. */
  readonly truncatedBy?: ReadonlySet<string>;
  readonly type: Pick<ParsedShareType, "shape" | "width" | "scale">;
}

const labelByForm: Readonly<Partial<Record<SharingForm, ValueLabel>>> = { public: "public", client: "client" };
export const labelOf = (form: SharingForm): ValueLabel =>
  labelByForm[form] ?? (form === "weight" || form === "fixed" || form === "server" ? "server" : "shared");

export const sameShape = (a: readonly number[], b: readonly number[]): boolean => a.join() === b.join();
export const typeText = ({ shape, width, scale }: Pick<ParsedShareType, "shape" | "width" | "scale">): string =>
  `${width} bits, ${scale} fractional [${shape.join(", ")}]`;
