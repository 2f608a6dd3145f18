import { withManifest } from "../builds.ts";
import { both, client, inAll, inModule, type Mutant, oneMore, swap, swapAll } from "./edits.ts";

/** Calls take wrong values. */
export const operands: readonly Mutant[] = [
  {
    what: "a larger value that passes for a smaller one through a protocol, everywhere",
    codes: ["MRL0907"],
    of: both(
      inAll((text) => text.replace(/(logits(?:_shared_t)?: \{ shape: )\[9\]/g, "$1[6]")),
      (files) =>
        withManifest(files, (manifest) => ({
          ...manifest,
          reveals: (manifest.reveals as object[]).map((each) => ({ ...each, shape: [6] })),
        })),
      inModule((text) =>
        text
          .replace(/(%logits.shared.t = truncate .*fx14.12)\[9\]/, "$1[6]")
          .replace(/(%logits = reveal .*f32)\[9\]/, "$1[6]"),
      ),
    ),
  },
  {
    what: "a result under the type of another value",
    codes: ["MRL0907"],
    of: inAll(swap("operands: [types.gate], result: types.gate_open", "operands: [types.gate], result: types.gate")),
  },
  {
    what: "a call that nothing uses, under the type of another value",
    codes: ["MRL0907"],
    of: inAll((text) => {
      const spec = "leak: { operands: [types.o], result: types.o_T, attrs: { perm: [1, 0] } }";
      return [
        swap("} satisfies Record<string, Spec>;", `  ${spec},\n} satisfies Record<string, Spec>;`),
        swap("};\nconst inputTypes", `    ${spec},\n};\nconst inputTypes`),
        swap("return { logits", "const leak = local.transpose(party, specs.leak, o);\nreturn { logits"),
      ].reduce((changed, edit) => edit(changed), text);
    }),
  },
  {
    what: "another function than program.mir says, in both",
    codes: ["MRL0909"],
    of: both(inAll(swapAll("fourierSilu", "fourierGelu")), inModule(swap("via fourier.silu", "via fourier.gelu"))),
  },
  {
    what: "a scale that a truncation does not give",
    codes: ["MRL0907"],
    of: inAll(
      swap("k_biased_t: { shape: [3, 4], width: 18, scale: 12", "k_biased_t: { shape: [3, 4], width: 18, scale: 13"),
    ),
  },
  {
    what: "an operand replaced by another, at one party",
    codes: ["MRL0902"],
    of: client(swap("specs.gated, gate_open, q_b_t_open", "specs.gated, q_b_t_open, gate_open")),
  },
  {
    what: "operands exchanged, at all parties",
    codes: ["MRL0907"],
    of: inAll(swap("specs.gated, gate_open, q_b_t_open", "specs.gated, q_b_t_open, gate_open")),
  },
  {
    what: "operands exchanged with their types, at all parties",
    codes: ["MRL0909"],
    of: inAll((text) =>
      swap(
        "specs.gated, gate_open, q_b_t_open",
        "specs.gated, q_b_t_open, gate_open",
      )(swap("[types.gate_open, types.q_b_t_open]", "[types.q_b_t_open, types.gate_open]")(text)),
    ),
  },
  {
    what: "a weight replaced by another",
    codes: ["MRL0909"],
    of: inAll(swap('x_share_n30, weights["k.weight"]', 'x_share_n30, weights["o.weight"]')),
  },
  {
    what: "the server's own weight where both must know it",
    codes: ["MRL0904"],
    of: inAll(swap("local.add(party", "local.mul(party")),
  },
  {
    what: "the client's input used in the clear",
    codes: ["MRL0904"],
    of: inAll(swap("specs.x_share_n30, x_share)", "specs.x_share_n30, inputs.x)")),
  },
  {
    what: "a wire where shares belong",
    codes: ["MRL0904"],
    of: inAll((text) =>
      swap(
        "specs.q_b_t, q_b)",
        "specs.q_b_t, k_biased_t_open)",
      )(swap("[types.q_b], result", "[types.k_biased_t_open], result")(text)),
    ),
  },
  {
    what: "shares where a wire belongs",
    codes: ["MRL0904"],
    of: inAll((text) =>
      swap(
        "specs.gate, k_biased_t_open)",
        "specs.gate, k_biased_t)",
      )(swap("[types.k_biased_t_open], result: types.gate", "[types.k_biased_t], result: types.gate")(text)),
    ),
  },
  {
    what: "an opened value computed with again",
    codes: ["MRL0904"],
    of: inAll(
      oneMore(
        "const again = local.neg(party, specs.again, logits)",
        "again: { operands: [types.logits], result: types.again, attrs: {} }",
        "again: { shape: [9], width: 14, scale: 12, lo: -1, hi: 1 }",
      ),
    ),
  },
  {
    what: "a value before it is computed",
    codes: ["MRL0901"],
    of: inAll(swap("specs.q_a_t, q_a)", "specs.q_a_t, gated)")),
  },
  {
    what: "an operand less than its spec has types",
    codes: ["MRL0907"],
    of: inAll(swap("specs.gated, gate_open, q_b_t_open)", "specs.gated, gate_open)")),
  },
  {
    what: "an operand too many",
    codes: ["MRL0907"],
    of: inAll(swap("specs.gate, k_biased_t_open)", "specs.gate, k_biased_t_open, k_biased_t_open)")),
  },
];
