import { correlations } from "./correlations.ts";
import { kept } from "./kept.ts";
import { library } from "./library.ts";
import type { Mutant } from "./mutant.ts";
import { openings } from "./openings.ts";
import { randomness } from "./randomness.ts";
import { sessions } from "./sessions.ts";

/** Every mutant, by what it breaks. */
export const mutants: readonly Mutant[] = [
  ...randomness,
  ...correlations,
  ...openings,
  ...library,
  ...sessions,
  ...kept,
];
