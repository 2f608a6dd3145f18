import type { ProbeName } from "./probes.ts";
import type { SessionProbeName } from "./session-probes.ts";

/**
 * One edit of one file: every occurrence of `from` becomes `to`, or, without `from`, a line is added above the file.
 * An added import takes a namespace, so that it cannot declare a name that the file has.
 */
export type Edit = readonly [file: string, from: string, to: string] | readonly [file: string, added: string];

/**
 * Security bugs of this field, each put into our own sources. The origin names
 * the system and its issue, paper or release note; "in kind": the same class of slip; "ours": what no one published but a
 * reviewer of these sources would look for. docs/mutants.md is made from these tables.
 */
export interface Mutant {
  readonly name: string;
  readonly origin: string;
  readonly edits: readonly Edit[];
  /** The check that kills it, and passes on the sources as they are. */
  readonly by: ProbeName | SessionProbeName;
}
