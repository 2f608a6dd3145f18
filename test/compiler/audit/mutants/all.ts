import { calls } from "./calls.ts";
import { code } from "./code.ts";
import type { Mutant } from "./edits.ts";
import { files } from "./files.ts";
import { hiddenNumbers } from "./hidden-numbers.ts";
import { labels } from "./labels.ts";
import { promises } from "./manifest-claims.ts";
import { openings } from "./openings.ts";
import { operands } from "./operands.ts";

/** Every mutant, by what it does. */
export const mutants: readonly Mutant[] = [
  ...openings,
  ...labels,
  ...operands,
  ...calls,
  ...promises,
  ...code,
  ...files,
  ...hiddenNumbers,
];
