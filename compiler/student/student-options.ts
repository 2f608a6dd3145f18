import type { LoraOptions } from "./add-lora.ts";
import type { HeadOptions } from "./change-heads.ts";

export interface StudentOptions {
  /** Path of the public model. */
  readonly model: string;
  /** Name of the data file beside the student, used where the model keeps weights outside. */
  readonly dataFile: string;
  /** Share of the layers, from the first, that stay as they are. */
  readonly freeze?: number;
  readonly lora?: LoraOptions;
  readonly heads?: HeadOptions;
  /** Sizes of symbolic dimensions: shapes must be known to find the heads; the student keeps the symbols. */
  readonly dims?: Readonly<Record<string, number>>;
}
