import { client, inAll, type Mutant, only, swap, swapAll } from "./edits.ts";

/** Other calls, in another order, or with other attributes and rings. */
export const calls: readonly Mutant[] = [
  {
    what: "a protocol that is unknown",
    codes: ["MRL0903"],
    of: inAll((text) => swap("fourierSilu.run", "revealAll.run")(swap("fourierSilu,", "revealAll,")(text))),
  },
  {
    what: "a local operator that is unknown",
    codes: ["MRL0903"],
    of: inAll(swap("local.transpose", "local.constructor")),
  },
  { what: "another protocol of the same form", codes: ["MRL0909"], of: inAll(swapAll("fourierSilu", "fourierGelu")) },
  {
    what: "a protocol of three parties between two",
    codes: ["MRL0904"],
    of: inAll(swapAll("fourierSilu", "replicatedRelu")),
  },
  {
    what: "the masks of one call used for another",
    codes: ["MRL0908", "MRL0909"],
    of: inAll(swap('party.at("q.b.t.open")', 'party.at("gate.open")')),
  },
  {
    what: "other randomness at one party",
    codes: ["MRL0902"],
    of: only("dealer/program.js")(swap('party.at("gate.open")', 'party.at("gate.again")')),
  },
  {
    what: "two calls in another order, at one party",
    codes: ["MRL0902"],
    of: client((text) => text.replace(/( +const q_a_t = [^\n]*\n)( +const k_biased = [^\n]*\n)/, "$2$1")),
  },
  {
    what: "two calls in another order, at all parties",
    codes: ["MRL0909"],
    of: inAll((text) => text.replace(/( +const q_a_t = [^\n]*\n)( +const k_biased = [^\n]*\n)/, "$2$1")),
  },
  {
    what: "calls of one round in two, at one party",
    codes: ["MRL0902"],
    of: client((text) =>
      text.replace(
        /const \[q_a, k\] = yield\* parallel\(\n\s*(.*),\n\s*(.*),\n\s*\);/,
        "const q_a = yield* $1;\nconst k = yield* $2;",
      ),
    ),
  },
  {
    what: "a call less at one party",
    codes: ["MRL0901"],
    of: client((text) => text.replace(/ +const k_biased_t = [^\n]*\n/, "")),
  },
  {
    what: "attributes changed at all parties",
    codes: ["MRL0909"],
    of: inAll(swap("attrs: { by: 12 }", "attrs: { by: 11 }")),
  },
  {
    what: "a ring that lies",
    codes: ["MRL0907", "MRL0909"],
    of: inAll(swap("k_biased: { shape: [3, 4], width: 30", "k_biased: { shape: [3, 4], width: 12")),
  },
  {
    what: "bounds changed at all parties",
    codes: ["MRL0909"],
    of: inAll(
      swap(
        "k_biased: { shape: [3, 4], width: 30, scale: 24, lo: -2, hi: 2 }",
        "k_biased: { shape: [3, 4], width: 30, scale: 24, lo: -1, hi: 1 }",
      ),
    ),
  },
  {
    what: "one spec for two calls",
    codes: ["MRL0901"],
    of: inAll(swap("specs.q_b_t_open, q_b_t)", "specs.gate_open, q_b_t)")),
  },
];
