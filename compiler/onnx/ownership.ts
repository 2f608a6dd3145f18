import type { Label } from "../../ir/label.ts";
import type { WeightCatalog } from "./import-weights.ts";

export interface Ownership {
  readonly catalog: WeightCatalog;
  readonly labels: ReadonlyMap<string, Label>;
}
