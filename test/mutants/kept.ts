import type { Mutant } from "./mutant.ts";

const control = "runtime/session/requests.ts";
const dealing = "runtime/session/dealer-session.ts";
const memory = "runtime/session/session-cache.ts";
const session = "runtime/session/party-session.ts";
const state = "runtime/session/session-state.ts";
const attention = "runtime/protocols/softmax/cached-attention.ts";

const countedRows = "rows = all.opened.shape[sequenceAxis]!;";
const firstRows = "mapMasked(added, (t) => rowsOf(t, sequenceAxis, 0, position))";

/** The cache of a session: opened tensors, their masks, and the next position. */
export const kept: readonly Mutant[] = [
  {
    name: "a window keeps a row of its padding",
    origin: "ours: one row too many, which no one of the text wrote",
    edits: [
      [memory, firstRows, "mapMasked(added, (t) => rowsOf(t, sequenceAxis, 0, position + 1))"],
      [memory, countedRows, "rows = continues ? before.rows + 1 : position;"],
    ],
    by: "session: a step reads the rows before it and no other",
  },
  {
    name: "a row is cached twice",
    origin: "ours: a row too many, counted as one",
    edits: [
      [
        memory,
        "concatMasked(before.values[name]!, added, sequenceAxis)",
        "concatMasked(concatMasked(before.values[name]!, added, sequenceAxis), added, sequenceAxis)",
      ],
      [memory, countedRows, "rows = continues ? before.rows + 1 : position;"],
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
        "before.values[name] ? concatMasked(before.values[name]!, mapMasked(added, (t) => rowsOf(t, sequenceAxis, 0, position)), sequenceAxis) : mapMasked(added, (t) => rowsOf(t, sequenceAxis, 0, position))",
      ],
      [memory, countedRows, "rows = continues ? before.rows + 1 : position;"],
    ],
    by: "session: a step reads the rows before it and no other",
  },
  {
    name: "a cached row is reused by another session",
    origin: "Rushing at SPDZ (S&P 2025): state shared between sessions",
    edits: [
      [session, "const state = createSessionState();", "const state = createSessionState(role);"],
      [
        state,
        "export function createSessionState(): SessionState {",
        "const saved = new Map<string, CachePair>();\nexport function createSessionState(role: string): SessionState {",
      ],
      [state, "let caches: CachePair | undefined = {", "let caches: CachePair | undefined = saved.get(role) ?? {"],
      [
        state,
        "caches = { ...alive(), ...changed };",
        "caches = { ...alive(), ...changed };\n      saved.set(role, caches);",
      ],
      [dealing, "let cache = emptyCache;", "let cache = saved;"],
      [
        dealing,
        "cache = await dealQuery(session, request, cache);",
        "cache = await dealQuery(session, request, cache);\n    saved = cache;",
      ],
      [dealing, "export async function runDealer(", "let saved = emptyCache;\nexport async function runDealer("],
    ],
    by: "session: no cache outlives its session",
  },
  {
    name: "a position other than the next one is accepted",
    origin: "in kind MP-SPDZ #953: single use is not enforced",
    edits: [
      [
        control,
        "const follows = found && (!readsCache(found) || position === cachedRows);",
        "const follows = found;\n  void [cachedRows, readsCache];",
      ],
    ],
    by: "session: only the next position is answered",
  },
  {
    name: "a session goes on after a failure",
    origin: "Carbyne Stack Castor: tuples obtainable again after a crash",
    edits: [[state, "caches = undefined;\n        throw error;", "throw error;"]],
    by: "session: nothing goes on after a failure",
  },
  {
    name: "the steps of a text hide under the same masks",
    origin: "in kind libOTe #166, yacl #640: one tweak for two uses",
    edits: [
      [session, "query: session.nextQuery++,", "query: Math.min(session.nextQuery++, 1),"],
      [dealing, "query: request.query,", "query: Math.min(request.query, 1),"],
    ],
    by: "session: rows of one text hide under masks of their own",
  },
  {
    name: "cached keys are opened again under another mask",
    origin: "ours: a step that opens all rows anew, as systems do that keep shares alone",
    edits: [
      [attention, 'import * as boundary from "../boundary/index.ts";\nimport * as kit from "../kit/index.ts";'],
      [
        attention,
        "const keys = concatMasked(pastK as MaskedValue, k as MaskedValue, sequenceAxis);",
        'const again = kit.liftToRing(party.at("again"), pastK as MaskedValue, (pastK as MaskedValue).opened.width);\n    const keys = concatMasked(yield* boundary.maskAndOpen(party.at("opened"), again), k as MaskedValue, sequenceAxis);',
      ],
    ],
    by: "session: what is cached is not opened again",
  },
];
