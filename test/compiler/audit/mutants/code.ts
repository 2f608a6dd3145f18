import { bias, client, inAll, type Mutant, ofWeights, only, swap } from "./edits.ts";

/** Code that marillc does not write. */
export const code: readonly Mutant[] = [
  { what: "an import more", codes: ["MRL0901"], of: client(swap("import type", 'import "./more.js";\nimport type')) },
  {
    what: "a return that ends before its outputs",
    codes: ["MRL0901"],
    of: only("client/program.js")(swap("return {", "return\n{")),
  },
  {
    what: "a return that ends at a comment",
    codes: ["MRL0901"],
    of: only("client/program.js")(swap("return {", "return // /k/Add\n{")),
  },
  {
    what: "a yield that ends before its protocol",
    codes: ["MRL0901"],
    of: only("server/program.js")(swap("yield*", "yield\n*")),
  },
  ...["await", "yield", "this", "let", "undefined"].map(
    (word): Mutant => ({
      what: `a variable called ${word}`,
      codes: ["MRL0901"],
      of: inAll((text) => text.replaceAll(/\bgate_open\b/g, word)),
    }),
  ),
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
  {
    what: "a value under the name of a tool",
    codes: ["MRL0901"],
    of: inAll((text) => text.replace(/\bk_biased\b/g, "local")),
  },
  {
    what: "a call of a protocol outside of the list",
    codes: ["MRL0901"],
    of: inAll(swap("maskedMul,", "maskedRelu,")),
  },
  {
    what: "more names than calls that run together",
    codes: ["MRL0901"],
    of: inAll(swap("const [q_a, k] = yield* parallel(", "const [q_a, k, more] = yield* parallel(")),
  },
  { what: "a protocol that hides a tool", codes: ["MRL0901"], of: inAll(swap("fourierSilu,", "party,")) },
  {
    what: "a body with another parameter",
    codes: ["MRL0901"],
    of: inAll(swap("party, inputs, weights)", "party, inputs, weights, more)")),
  },
  {
    what: "a body that takes another tool",
    codes: ["MRL0901"],
    of: inAll(swap("local, parallel }", "local, parallel, weights }")),
  },
  { what: "a head with another name", codes: ["MRL0901"], of: client(swap("program of gated:", "program of other:")) },
  { what: "a head with another setting", codes: ["MRL0901"], of: client(swap(": 2pc-dealer, ", ": 3pc, ")) },
  {
    what: "a head with another digest",
    codes: ["MRL0901"],
    of: client((text) => text.replace(/program\.mir \w{12}/, "program.mir 000000000000")),
  },
  {
    what: "an output returned twice",
    codes: ["MRL0901"],
    of: inAll(swap("return { logits }", "return { logits, logits }")),
  },
  { what: "a sign without a number", codes: ["MRL0901"], of: inAll(swap("attrs: { by: 12 }", "attrs: { by: - }")) },
  { what: "text behind the end", codes: ["MRL0901"], of: only("server/program.js")((text) => `${text}leak();\n`) },
  {
    what: "TypeScript in JavaScript",
    codes: ["MRL0901"],
    of: (files) => new Map([...files, ["client/program.js", files.get("client/program.ts")!]]),
  },
];
