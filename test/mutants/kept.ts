import type { Mutant } from "./mutant.ts";

const control = "runtime/session/control.ts";
const dealing = "runtime/session/dealer-session.ts";
const memory = "runtime/session/memory.ts";
const session = "runtime/session/party-session.ts";
const attention = "runtime/protocols/softmax/cached-attention.ts";

const countedRows = "rows = all.opened.shape[keptAxis]!;";
const firstRows = "mapWire(made, (t) => rowsOf(t, keptAxis, 0, place))";

/** What a session keeps between queries: opened wires, their masks, and the place that it has come to. */
export const kept: readonly Mutant[] = [
  {
    name: "a window keeps a row of its padding",
    origin: "ours: one row too many, which no one of the text wrote",
    edits: [
      [memory, firstRows, "mapWire(made, (t) => rowsOf(t, keptAxis, 0, place + 1))"],
      [memory, countedRows, "rows = goesOn ? before.rows + 1 : place;"],
    ],
    by: "session: a step reads the rows before it and no other",
  },
  {
    name: "a row is kept twice",
    origin: "ours: a row too many, counted as one",
    edits: [
      [
        memory,
        "joinWires(before.wires[name]!, made, keptAxis)",
        "joinWires(joinWires(before.wires[name]!, made, keptAxis), made, keptAxis)",
      ],
      [memory, countedRows, "rows = goesOn ? before.rows + 1 : place;"],
    ],
    by: "session: a step reads the rows before it and no other",
  },
  {
    name: "another text goes on from the rows of the one before",
    origin: "ours: rows of one text read by another",
    edits: [
      [
        memory,
        firstRows,
        "before.wires[name] ? joinWires(before.wires[name]!, mapWire(made, (t) => rowsOf(t, keptAxis, 0, place)), keptAxis) : mapWire(made, (t) => rowsOf(t, keptAxis, 0, place))",
      ],
      [memory, countedRows, "rows = goesOn ? before.rows + 1 : place;"],
    ],
    by: "session: a step reads the rows before it and no other",
  },
  {
    name: "a kept row is reused by another session",
    origin: "Rushing at SPDZ (S&P 2025): state shared between sessions",
    edits: [
      [
        session,
        "memory = { ...alive(), online: remember(current, online, results, asked.place) };",
        "memory = { ...alive(), online: remember(current, online, results, asked.place) };\n    saved.set(role, memory);",
      ],
      [
        session,
        "let memory: { readonly prepared: Memory; readonly online: Memory } | undefined = {",
        "let memory: { readonly prepared: Memory; readonly online: Memory } | undefined = saved.get(role) ?? {",
      ],
      [
        session,
        "/** Seeds and hidden weights, once per session. */",
        "const saved = new Map<string, { readonly prepared: Memory; readonly online: Memory }>();",
      ],
      [dealing, "let memory = nothingKept;", "let memory = saved;"],
      [
        dealing,
        "memory = remember(current, memory, dealt, asked.place);",
        "memory = remember(current, memory, dealt, asked.place);\n    saved = memory;",
      ],
      [dealing, "export async function runDealer(", "let saved = nothingKept;\nexport async function runDealer("],
    ],
    by: "session: nothing is kept for a later session",
  },
  {
    name: "another place than the next one is agreed",
    origin: "in kind MP-SPDZ #953: single use is not kept",
    edits: [
      [
        control,
        "const follows = found && (!readsKept(found) || place === kept);",
        "const follows = found;\n  void [kept, readsKept];",
      ],
    ],
    by: "session: only the next place is answered",
  },
  {
    name: "a session goes on after a failure",
    origin: "Carbyne Stack Castor: tuples obtainable again after a crash",
    edits: [[session, "memory = undefined;\n      throw error;", "throw error;"]],
    by: "session: nothing goes on after a failure",
  },
  {
    name: "the steps of a text hide under the same masks",
    origin: "in kind libOTe #166, yacl #640: one tweak for two uses",
    edits: [
      [session, "query: next++, stock", "query: Math.min(next++, 1), stock"],
      [dealing, "query: next,", "query: Math.min(next, 1),"],
    ],
    by: "session: rows of one text hide under masks of their own",
  },
  {
    name: "kept keys are opened again under another mask",
    origin: "ours: a step that opens all rows anew, as systems do that keep shares alone",
    edits: [
      [
        attention,
        'import { joinWires } from "./wires.ts";',
        'import { openWire } from "./open.ts";\nimport { joinWires, lift } from "./wires.ts";',
      ],
      [
        attention,
        "const keys = joinWires(pastK as Wire, k as Wire, keptAxis);",
        'const again = lift(party.at("again"), pastK as Wire, (pastK as Wire).opened.width);\n    const keys = joinWires(yield* openWire(party.at("opened"), again), k as Wire, keptAxis);',
      ],
    ],
    by: "session: what is kept is not opened again",
  },
];
