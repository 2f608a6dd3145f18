import { floatTensor } from "../compiler/onnx/build.ts";
import { edited, type Files, modulePaths, programPaths, resealed, textOf, withManifest } from "./builds.ts";
import { appended, withInitializer, withTensor } from "./files.ts";

/**
 * What somebody could do to the golden build, a compiler with a fault or a person with a wish. `codes`: what must be
 * said of it, at least. Edits of program.mir have their digests made to fit, so that what is found is the flow itself.
 */
export interface Mutant {
  readonly what: string;
  readonly codes: readonly string[];
  readonly of: (build: Files) => Files;
}

const only = (path: string) => (edit: (text: string) => string) => (files: Files) => edited(files, [path], edit);
const inAll = (edit: (text: string) => string) => (files: Files) => edited(files, programPaths, edit);
const inModule =
  (edit: (text: string) => string) =>
  (files: Files): Files =>
    resealed(edited(files, modulePaths, edit));
const both =
  (...edits: readonly ((files: Files) => Files)[]) =>
  (files: Files): Files =>
    edits.reduce((changed, edit) => edit(changed), files);
const swap = (from: string, to: string) => (text: string) => text.replace(from, () => to);
const swapAll = (from: string, to: string) => (text: string) => text.replaceAll(from, () => to);
const renamed =
  (...moves: readonly (readonly [string, string])[]) =>
  (files: Files): Files =>
    new Map([...files, ...moves.map(([from, to]): [string, Uint8Array] => [to, files.get(from)!])]);

/** One more call in front of the return, with its spec and type. */
const oneMore = (call: string, spec: string, type: string) => (text: string) =>
  [
    swap(
      "} satisfies Record<string, Fixed>;\n\nconst specs",
      `  ${type},\n} satisfies Record<string, Fixed>;\n\nconst specs`,
    ),
    swap("} satisfies Record<string, Spec>;", `  ${spec},\n} satisfies Record<string, Spec>;`),
    swap("};\nconst specs", `    ${type},\n};\nconst specs`),
    swap("};\nconst inputTypes", `    ${spec},\n};\nconst inputTypes`),
    swap("return { logits };", `${call};\nreturn { logits };`),
  ].reduce((changed, edit) => edit(changed), text);

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
const weightsTable = "const weightTypes = ";
/** An edit behind the beginning of the table of weights. */
const ofWeights = (edit: (text: string) => string) => (text: string) => {
  const at = text.indexOf(weightsTable);
  return text.slice(0, at) + edit(text.slice(at));
};
const bias = '"k.bias": { form: "server"';
const client = only("client/program.ts");

export const mutants: readonly Mutant[] = [
  // Openings.
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
  { what: "no output at all", codes: ["MRL0906"], of: inAll(swap("return { logits };", "return { };")) },
  // Labels.
  {
    what: "a public label on a private weight",
    codes: ["MRL0909", "MRL0910"],
    of: inAll(ofWeights(swap(bias, '"k.bias": { form: "public"'))),
  },
  {
    what: "a public label on a private weight, in program.mir too",
    codes: ["MRL0910"],
    of: both(
      inAll(ofWeights(swap(bias, '"k.bias": { form: "public"'))),
      inModule(swap("param %k.bias : server", "param %k.bias : public")),
    ),
  },
  {
    what: "a private weight told to the dealer",
    codes: ["MRL0909", "MRL0910"],
    of: inAll(ofWeights(swap(bias, '"k.bias": { form: "told"'))),
  },
  {
    what: "a private weight under the name of a public one",
    codes: ["MRL0909", "MRL0912"],
    of: inAll(
      ofWeights((text) =>
        swap('"model.k.bias@24"', '"model.o.weight@24"')(swap(bias, '"k.bias": { form: "public"')(text)),
      ),
    ),
  },
  {
    what: "a private weight that the manifest calls public",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, relabelled("public")),
  },
  {
    what: "a private weight that the manifest calls public, with a digest",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, relabelled("public", "00".repeat(32))),
  },
  {
    what: "an input that belongs to the server",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, inputs: [{ name: "x", label: "server" }] })),
  },
  // Operands.
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
    what: "an operand too many",
    codes: ["MRL0907"],
    of: inAll(swap("specs.gate, k_biased_t_open)", "specs.gate, k_biased_t_open, k_biased_t_open)")),
  },
  // Calls.
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
  // Roles and promises.
  {
    what: "client and server exchanged",
    codes: ["MRL0911"],
    of: renamed(["client/program.ts", "server/program.ts"], ["server/program.ts", "client/program.ts"]),
  },
  {
    what: "the dealer's program at the server",
    codes: ["MRL0911"],
    of: renamed(["dealer/program.js", "server/program.js"]),
  },
  {
    what: "a header that names another role",
    codes: ["MRL0911"],
    of: client(swap("// client program of", "// server program of")),
  },
  { what: "another setting", codes: ["MRL0910"], of: inAll(swap('setting: "2pc-dealer"', 'setting: "3pc"')) },
  {
    what: "a setting in which nobody deals",
    codes: ["MRL0904", "MRL0910"],
    of: inAll(swap('setting: "2pc-dealer"', 'setting: "2pc"')),
  },
  {
    what: "the digest of another module",
    codes: ["MRL0910"],
    of: inAll((text) => text.replace(/hash: "\w+"/, `hash: "${"0".repeat(64)}"`)),
  },
  {
    what: "another program.mir at the dealer",
    codes: ["MRL0914"],
    of: only("dealer/program.mir")(swap("by = 12", "by = 11")),
  },
  { what: "another program.mir everywhere", codes: ["MRL0909"], of: inModule(swap("by = 12", "by = 11")) },
  { what: "a program.mir that cannot be read", codes: ["MRL0901"], of: inModule(swap("step {", "step")) },
  {
    what: "another manifest at the client",
    codes: ["MRL0914"],
    of: only("client/manifest.json")(swap("semi-honest", "malicious")),
  },
  {
    what: "a manifest without its promises",
    codes: ["MRL0901"],
    of: (files) => withManifest(files, ({ reveals: _, ...rest }) => rest),
  },
  {
    what: "a promise less",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, reveals: [] })),
  },
  {
    what: "a promise more",
    codes: ["MRL0910"],
    of: (files) =>
      withManifest(files, (manifest) => ({
        ...manifest,
        reveals: [...(manifest.reveals as object[]), { value: "k", tensor: "k", to: "client", shape: [3, 4] }],
      })),
  },
  {
    what: "a promise to the server",
    codes: ["MRL0910"],
    of: (files) =>
      withManifest(files, (manifest) => ({
        ...manifest,
        reveals: [{ value: "logits", tensor: "logits", to: "server", shape: [9] }],
      })),
  },
  {
    what: "a cut less",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, cuts: [] })),
  },
  {
    what: "a cut of another shape",
    codes: ["MRL0910"],
    of: (files) =>
      withManifest(files, (manifest) => ({ ...manifest, cuts: [{ value: "x", tensor: "x", shape: [4, 4] }] })),
  },
  // Code that is none of marillc's.
  { what: "an import more", codes: ["MRL0901"], of: client(swap("import type", 'import "./more.js";\nimport type')) },
  { what: "an import that is code", codes: ["MRL0901"], of: client(swap("import type {", "import {")) },
  {
    what: "an import of something else",
    codes: ["MRL0901"],
    of: client(swap('"marillc/runtime"', '"marillc/../more"')),
  },
  {
    what: "an import in JavaScript",
    codes: ["MRL0901"],
    of: only("server/program.js")(swap("const types", 'import { x } from "node:net";\nconst types')),
  },
  {
    what: "an import when it runs",
    codes: ["MRL0901"],
    of: inAll(swap("return {", 'yield* import("node:net");\nreturn {')),
  },
  {
    what: "a statement more",
    codes: ["MRL0901"],
    of: only("client/program.js")(swap("return {", "globalThis.seen = x_share;\nreturn {")),
  },
  {
    what: "a condition",
    codes: ["MRL0901"],
    of: inAll(swap("return {", "if (inputs.x.data[0] > 0) return {};\nreturn {")),
  },
  {
    what: "a contents read as an operand",
    codes: ["MRL0901"],
    of: inAll(swap("specs.gate, k_biased_t_open)", "specs.gate, k_biased_t_open.opened)")),
  },
  {
    what: "a call within an operand",
    codes: ["MRL0901"],
    of: inAll(swap("specs.gate, k_biased_t_open)", "specs.gate, send(k_biased_t_open))")),
  },
  {
    what: "code behind a line separator in a comment",
    codes: ["MRL0901"],
    of: client(swap("// /k/Add", "// /k/Add\u2028globalThis.seen = k;")),
  },
  {
    what: "code behind a carriage return in a comment",
    codes: ["MRL0901"],
    of: client(swap("// /k/Add", "// /k/Add\rglobalThis.seen = k;")),
  },
  {
    what: "text that turns the order of reading",
    codes: ["MRL0901"],
    of: client(swap("// /k/Add", "// /k/Add \u202e")),
  },
  { what: "a comment that opens a block", codes: ["MRL0901"], of: client(swap("// /k/Add", "/* /k/Add */ k();")) },
  {
    what: "a comment that a tool obeys",
    codes: ["MRL0901"],
    of: only("client/program.js")(swap("// /k/Add", "//# sourceMappingURL=more.js")),
  },
  {
    what: "a template in an attribute",
    codes: ["MRL0901"],
    of: inAll((text) => text.replace("attrs: { by: 12 }", "attrs: { by: `$" + "{12}` }")),
  },
  { what: "a computed key", codes: ["MRL0901"], of: inAll(swap("attrs: { by: 12 }", 'attrs: { ["by" + ""]: 12 }')) },
  { what: "a getter", codes: ["MRL0901"], of: inAll(swap("attrs: { by: 12 }", "attrs: { get by() { return 12; } }")) },
  { what: "a spread", codes: ["MRL0901"], of: inAll(swap("attrs: { by: 12 }", "attrs: { ...types }")) },
  {
    what: "a key that sets the prototype",
    codes: ["MRL0901"],
    of: inAll(swap("attrs: { by: 12 }", "attrs: { __proto__: {}, by: 12 }")),
  },
  {
    what: "a key given twice",
    codes: ["MRL0901"],
    of: inAll(ofWeights(swap(bias, '"k.bias": { form: "public", form: "server"'))),
  },
  {
    what: "a variable that hides the specs",
    codes: ["MRL0901"],
    of: inAll((text) => swap("const gate = ", "const specs = ")(text)),
  },
  { what: "a protocol that hides a tool", codes: ["MRL0901"], of: inAll(swap("fourierSilu,", "party,")) },
  {
    what: "a body with another parameter",
    codes: ["MRL0901"],
    of: inAll(swap("party, inputs, weights)", "party, inputs, weights, more)")),
  },
  { what: "text behind the end", codes: ["MRL0901"], of: only("server/program.js")((text) => `${text}leak();\n`) },
  {
    what: "TypeScript in JavaScript",
    codes: ["MRL0901"],
    of: (files) => new Map([...files, ["client/program.js", files.get("client/program.ts")!]]),
  },
  // Files.
  { what: "a program less", codes: ["MRL0913"], of: (files) => without(files, "dealer/program.js") },
  {
    what: "a private weight in the client's folder",
    codes: ["MRL0912", "MRL0914"],
    of: (files) => withTensor(files, "client/weights.safetensors", "model.k.bias@24", "server/weights.safetensors"),
  },
  {
    what: "a private weight in the client's folder, digests made to fit",
    codes: ["MRL0912"],
    of: (files) =>
      resealed(withTensor(files, "client/weights.safetensors", "model.k.bias@24", "server/weights.safetensors")),
  },
  {
    what: "bytes behind the client's weights",
    codes: ["MRL0912"],
    of: (files) => resealed(appended(files, "client/weights.safetensors")),
  },
  {
    what: "a public weight with other numbers at the client",
    codes: ["MRL0912"],
    of: (files) => resealed(flipped(files, "client/weights.safetensors")),
  },
  {
    what: "weights in the dealer's folder",
    codes: ["MRL0912"],
    of: renamed(["server/weights.safetensors", "dealer/weights.safetensors"]),
  },
  {
    what: "a file more in the client's folder",
    codes: ["MRL0912"],
    of: (files) => new Map([...files, ["client/notes.txt", new Uint8Array(1)]]),
  },
  {
    what: "a file more beside the folders",
    codes: ["MRL0912"],
    of: (files) => new Map([...files, ["more.js", new Uint8Array(1)]]),
  },
  {
    what: "a model at the client that nothing names",
    codes: ["MRL0912"],
    of: (files) => resealed(withInitializer(files, floatTensor("w", [2], [1, 2]))),
  },
];

function relabelled(label: string, sha256?: string) {
  return (manifest: Record<string, unknown>) => ({
    ...manifest,
    weights: (manifest.weights as { name: string }[]).map((weight) =>
      weight.name === "model.k.bias" ? { ...weight, label, ...(sha256 !== undefined && { sha256 }) } : weight,
    ),
  });
}

function without(files: Files, path: string): Files {
  if (!files.has(path)) throw new Error(`there is no ${path}`);
  return new Map([...files].filter(([each]) => each !== path));
}

function flipped(files: Files, path: string): Files {
  const bytes = files.get(path)!.slice();
  bytes[bytes.length - 1]! ^= 1;
  return new Map([...files, [path, bytes]]);
}

export const linesOf = (files: Files, path: string): readonly string[] => textOf(files, path).split("\n");
