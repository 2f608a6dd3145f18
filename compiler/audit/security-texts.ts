/**
 * The trust assumption of each setting, word by word: a manifest says this and nothing else, so that nobody reads a
 * stronger claim in it. The table is the checker's own; a test compares it with what the compiler writes.
 */
export const securityTexts: ReadonlyMap<string, string> = new Map([
  ["2pc-dealer", "semi-honest, no two parties collude; the dealer is neither the client nor the owner of the model"],
  [
    "3pc",
    "semi-honest, honest majority: no two of the three parties collude; the helper learns nothing of inputs, weights and outputs",
  ],
]);
