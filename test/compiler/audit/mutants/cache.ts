import type { BuildFiles } from "../../../../compiler/audit/party-files.ts";
import { edited, modulePaths, programPaths, textOf, withManifest } from "../builds.ts";
import { decodePaths } from "../cached-build.ts";
import { both, inAll, inModule, type Mutant, oneMore, only, swap, swapAll } from "./edits.ts";

/** All parties' programs for one position. */
const inChunk = (claims: object) => (files: BuildFiles) =>
  withManifest(files, (manifest) => ({ ...manifest, decode: { ...(manifest.decode as object), ...claims } }));
const inDecode = (edit: (text: string) => string) => (files: BuildFiles) => edited(files, decodePaths, edit);
const decodeModules = modulePaths.map((path) => path.replace("program.", "decode."));
const inBoth = (edit: (text: string) => string) => both(inAll(edit), inDecode(edit));

const gate = "shape: [3, 4], width: 15, scale: 12, lo: -0.3, hi: 2";
const revealed = oneMore(
  'const leak = yield* oneWayReveal.run(party.at("leak"), specs.leak, cached.past)',
  'leak: { operands: [types.past], result: types.leak, attrs: { to: "client" } }',
  `leak: { ${gate} }`,
);
const openedAgain = oneMore(
  'const again = yield* maskedOpen.run(party.at("again"), specs.again, cached.past)',
  "again: { operands: [types.past], result: types.again, attrs: {} }",
  `again: { ${gate} }`,
);
const alike = (edit: (text: string) => string) => (text: string) => {
  const changed = edit(text);
  if (changed === text) throw new Error("the edit changes nothing");
  return changed;
};

/** Changes to the values kept between queries, in the build with two programs over one state. */
export const kept: readonly Mutant[] = [
  {
    what: "a program for more positions than the manifest says",
    codes: ["MRL0910"],
    of: inChunk({ places: 3 }),
  },
  {
    what: "a kept value of the manifest that no program keeps",
    codes: ["MRL0910"],
    of: inChunk({ kept: [{ name: "ghost", shape: [1], width: 1 }] }),
  },
  {
    what: "a second manifest of the same program",
    codes: ["MRL0910"],
    of: (files) => {
      const { decode } = JSON.parse(textOf(files, "manifest.json")) as { decode: object };
      return inChunk({ windows: [decode, decode] })(files);
    },
  },
  { what: "a kept wire opened to the client", codes: ["MRL0905"], of: inDecode(alike(revealed)) },
  { what: "a kept wire opened again under another mask", codes: ["MRL0904"], of: inDecode(alike(openedAgain)) },
  {
    what: "a kept wire opened again under another mask, in decode.mir too",
    codes: ["MRL0904"],
    of: both(inDecode(alike(openedAgain)), (files) =>
      edited(
        files,
        decodeModules,
        swap(
          "  output %logits",
          "  %again = open %past : shared masked fx15.12[3, 4] via masked.open\n  output %logits",
        ),
      ),
    ),
  },
  {
    what: "a new row opened under the mask of the one before",
    codes: ["MRL0908"],
    of: inDecode(swap('party.at("gate.open")', 'party.at("q.b.t.open")')),
  },
  {
    what: "a wire kept under another name by the program of one place",
    codes: ["MRL0915"],
    of: inDecode((text) =>
      ["past: {", "past: gate", "cached.past", "types.past"].reduce(
        (changed, from) => swapAll(from, from.replace("past", "later"))(changed),
        text,
      ),
    ),
  },
  {
    what: "a wire that is kept in another ring",
    codes: ["MRL0904", "MRL0915"],
    of: inDecode(swap(`past: { ${gate}, past: 3 }`, `past: { ${gate.replace("15", "16")}, past: 3 }`)),
  },
  {
    what: "shares kept in the place of the wire",
    codes: ["MRL0904"],
    of: inBoth(swap("past: gate_open }", "past: gate }")),
  },
  { what: "nothing kept", codes: ["MRL0904"], of: inAll(swap(", past: gate_open }", " }")) },
  {
    what: "a wire more than is declared kept",
    codes: ["MRL0905"],
    of: inDecode(swap("past: gate_open }", "past: gate_open, more: q_b_t_open }")),
  },
  {
    what: "a row too many read, and declared so",
    codes: ["MRL0909"],
    of: inDecode((text) =>
      swap("past: 3 }", "past: 4 }")(swap(`past: { ${gate} }`, `past: { ${gate.replace("3, 4", "4, 4")} }`)(text)),
    ),
  },
  {
    what: "a row too many kept, of the window",
    codes: ["MRL0904"],
    of: inAll(swap(`past: { ${gate}, past: 3 }`, `past: { ${gate.replace("[3, 4]", "[4, 4]")}, past: 3 }`)),
  },
  {
    what: "what is kept read in the place of the new row, at one party",
    codes: ["MRL0902"],
    of: only("client/decode.ts")(swap("specs.gated, cached.past, q_b_t_open", "specs.gated, gate_open, q_b_t_open")),
  },
  {
    what: "what is kept read in the place of the new row",
    codes: ["MRL0909"],
    of: inDecode((text) =>
      swap(
        "specs.gated, cached.past, q_b_t_open",
        "specs.gated, gate_open, q_b_t_open",
      )(swap("[types.past, types.q_b_t_open]", "[types.gate_open, types.q_b_t_open]")(text)),
    ),
  },
  {
    what: "a kept wire that the module does not read",
    codes: ["MRL0909"],
    of: inModule(swap("mul %past, %q.b.t.open", "mul %gate.open, %q.b.t.open")),
  },
  {
    what: "no program of one place at the dealer",
    codes: ["MRL0913"],
    of: (files) => new Map([...files].filter(([path]) => path !== "dealer/decode.js")),
  },
  {
    what: "a program of one place that the manifest does not know",
    codes: ["MRL0912"],
    of: (files) => withManifest(files, ({ decode: _, ...rest }) => rest),
  },
  {
    what: "the window's program in the place of that of one place, under its digest",
    codes: ["MRL0910"],
    of: (files) => {
      const of = (path: string): Uint8Array => files.get(path)!;
      return edited(
        new Map([...files, ...programPaths.map((path, k): [string, Uint8Array] => [decodePaths[k]!, of(path)])]),
        decodePaths,
        (text) => text.replace(/hash: "\w+"/, `hash: "${"0".repeat(64)}"`),
      );
    },
  },
];
