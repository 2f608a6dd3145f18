import { withManifest } from "../builds.ts";
import { both, client, inAll, inModule, type Mutant, oneMore, only, swap, swapAll } from "./edits.ts";

const peek = oneMore(
  'const leak = yield* oneWayReveal.run(party.at("leak"), specs.leak, k)',
  'leak: { operands: [types.k], result: types.leak, attrs: { to: "client" } }',
  "leak: { shape: [3, 4], width: 30, scale: 24, lo: -1.5, hi: 1.5 }",
);
const peekInModule = swap(
  "  output %logits",
  '  %leak = reveal %k { to = "client" } : client f32[3, 4] in [-1.5, 1.5] via one-way.reveal\n  output %logits',
);
const returned = swapAll("return { logits };", "return { logits, leak };");
const declared = swapAll(
  ', to: "client" },\n',
  ', to: "client" },\n  leak: { shape: [3, 4], width: 30, scale: 24, lo: -1.5, hi: 1.5, to: "client" },\n',
);
const toServer = both(
  inAll(swapAll('to: "client"', 'to: "server"')),
  inModule((text) => swap('to = "client"', 'to = "server"')(swap(": client f32[9]", ": server f32[9]")(text))),
);

/** More is opened than declared, or to other readers, or less. */
export const openings: readonly Mutant[] = [
  { what: "an extra opening at one party", codes: ["MRL0902"], of: only("server/program.js")(peek) },
  { what: "an extra opening at all parties", codes: ["MRL0905", "MRL0909", "MRL0910"], of: inAll(peek) },
  {
    what: "an extra opening, in program.mir too",
    codes: ["MRL0905", "MRL0910"],
    of: both(inAll(peek), inModule(peekInModule)),
  },
  {
    what: "an extra opening, returned as well",
    codes: ["MRL0905", "MRL0910"],
    of: both(
      inAll((text) => returned(peek(text))),
      inModule(peekInModule),
    ),
  },
  {
    what: "an extra opening, declared by the programs",
    codes: ["MRL0910"],
    of: both(
      inAll((text) => declared(returned(peek(text)))),
      inModule((text) => `${peekInModule(text)}`.replace("  output %logits", "  output %logits\n  output %leak")),
    ),
  },
  {
    what: "the result opened to the server as well, at one party",
    codes: ["MRL0902"],
    of: client(swapAll('to: "client"', 'to: "server"')),
  },
  { what: "the result opened to the server", codes: ["MRL0910"], of: toServer },
  {
    what: "the result opened to nobody that exists",
    codes: ["MRL0905"],
    of: inAll(swap('attrs: { to: "client" }', 'attrs: { to: "everybody" }')),
  },
  {
    what: "the reader of a reveal is not said",
    codes: ["MRL0905"],
    of: inAll(swap('attrs: { to: "client" }', "attrs: {}")),
  },
  {
    what: "something earlier opened in the place of the result",
    codes: ["MRL0905"],
    of: both(
      inAll((text) =>
        swapAll(
          "specs.logits, logits_shared_t",
          "specs.logits, k",
        )(swap("[types.logits_shared_t], result: types.logits,", "[types.k], result: types.logits,")(text)),
      ),
      inModule(swap("reveal %logits.shared.t", "reveal %k")),
    ),
  },
  {
    what: "more opened than is declared: a shape that lies",
    codes: ["MRL0907"],
    of: inAll(swap("o_T: { shape: [3, 3]", "o_T: { shape: [1, 9]")),
  },
  {
    what: "a removed reveal",
    codes: ["MRL0906", "MRL0907"],
    of: inAll((text) =>
      swap(
        "return { logits };",
        "return { logits: logits_shared_t };",
      )(text.replace(/ *(const logits = )yield\* oneWayReveal[^\n]*\n/, "")),
    ),
  },
  {
    what: "the result given back without being opened",
    codes: ["MRL0906"],
    of: inAll(swap("return { logits };", "return { logits: logits_shared_t };")),
  },
  {
    what: "a share given back beside the result",
    codes: ["MRL0905"],
    of: inAll(swap("return { logits };", "return { logits, k };")),
  },
  {
    what: "an output under another name than in program.mir",
    codes: ["MRL0909"],
    of: (files) =>
      withManifest(
        inAll((text) =>
          swap(
            "return { logits };",
            "return { more: logits };",
          )(text.replace(/logits(: \{ shape: \[9\], width: 14, scale: 12, lo: -1, hi: 1, to:)/, "more$1")),
        )(files),
        (manifest) => ({
          ...manifest,
          reveals: (manifest.reveals as object[]).map((each) => ({ ...each, value: "more" })),
        }),
      ),
  },
  { what: "no output at all", codes: ["MRL0906"], of: inAll(swap("return { logits };", "return { };")) },
];
