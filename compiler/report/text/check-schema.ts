import { count, list, map, number, object, text } from "./json-schema.ts";

const publishedBound = object({ value: text, bound: text, exponent: count });
const sharedTensor = { value: text, tensor: text, shape: list(count) };
const opening = { ...sharedTensor, from: list(text) };

/** What `check` says of a build: who learns what, and what it does not tell. */
export const checkedBuild = {
  name: text,
  setting: text,
  security: text,
  parties: list(text),
  shared: list(object(sharedTensor)),
  sharedByServer: list(object(sharedTensor)),
  taken: list(object(sharedTensor)),
  kept: list(object(opening)),
  opened: list(object({ ...opening, to: text }, { carries: list(text) })),
  published: object({ integers: count, bits: count, bounds: list(publishedBound) }),
  outputs: list(text),
  weights: object({ public: list(text), server: list(text), unlisted: list(text) }),
  notUsed: { ...list(text), description: "private weights of the manifest's list that no program uses" },
  constants: {
    ...list(object({ name: text, numbers: count })),
    description: "of the client's graphs; that none is private is the builder's word",
  },
  claims: { ...list(text), description: "what the manifest says in words, which nothing checks" },
  protocols: map(count),
  calls: count,
  programs: count,
  preset: text,
  guarded: list(object({ value: text, at: text, shape: list(count), lo: number, hi: number })),
  unread: { ...list(text), description: "what no rule reads, by file" },
};
