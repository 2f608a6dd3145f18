/**
 * Who knows a value. A label is the set of its knowers as two bits (server, client); the join is their intersection.
 */
const knowers = { public: 0b11, client: 0b01, server: 0b10, shared: 0b00 } as const;

export type Label = keyof typeof knowers;
export const labels = Object.keys(knowers) as readonly Label[];

const byKnowers: readonly Label[] = ["shared", "client", "server", "public"];

/** The label of a value computed from values with these labels: known to those who know them all. */
export function join(...all: readonly Label[]): Label {
  return byKnowers[all.reduce((bits, label) => bits & knowers[label], 0b11)]!;
}

/** Whether moving from one label to another reveals nothing: nobody is added to the knowers. */
export function canFlowTo(from: Label, to: Label): boolean {
  return (knowers[from] & knowers[to]) === knowers[to];
}

/** Whether this party may hold the value in the clear. */
export function knows(reader: "client" | "server", label: Label): boolean {
  return (knowers[label] & knowers[reader]) !== 0;
}
