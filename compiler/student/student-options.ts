import type { LoraOptions } from "./add-lora.ts";
import type { HeadOptions } from "./change-heads.ts";

export interface StudentOptions {
  /** Path of the public model. */
  readonly model: string;
  /** Name of the data file beside the student, used where the model stores weights outside. */
  readonly dataFile: string;
  /** Fraction of the layers, from the first, that stay unchanged. */
  readonly freeze?: number;
  readonly lora?: LoraOptions;
  readonly heads?: HeadOptions;
  /** Sizes of symbolic dimensions: finding heads needs shapes; the student keeps the symbols. */
  readonly dims?: Readonly<Record<string, number>>;
}
