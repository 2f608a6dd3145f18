import type { ProbeName } from "./probes.ts";
import type { SessionProbeName } from "./session-probes.ts";

/**
 * Security bugs of this field, each put into our own sources: every occurrence of `from` becomes `to`. The origin names
 * the system and its issue, paper or release note; "in kind": the same class of slip; "ours": what no one published but a
 * reviewer of these sources would look for. docs/mutants.md is made from these tables.
 */
export interface Mutant {
  readonly name: string;
  readonly origin: string;
  readonly edits: readonly (readonly [file: string, from: string, to: string])[];
  /** The check that kills it, and passes on the sources as they are. */
  readonly by: ProbeName | SessionProbeName;
}
