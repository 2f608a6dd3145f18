import { checkedBuild } from "./check-schema.ts";
import { anything, count, document, flag, type JsonSchema, list, map, number, object, text } from "./json-schema.ts";

export type { JsonSchema };

const bytes: JsonSchema = { ...map(count), description: 'payload by direction, as "client→server"' };
const traffic = object({ rounds: count, bytes });
const phases = object({ setup: traffic, offline: traffic, online: traffic });
const diagnostic = object({ code: text, message: text }, { at: text, help: text, because: list(text) });
const blocker = object(
  { code: text, message: text },
  { ...diagnostic.properties, node: text, operator: text, layer: text },
);
const outputs = map(object({ shape: list(count), type: text, data: list(number) }));
const clamped: JsonSchema = {
  ...map(count),
  description: "number of values of each shared tensor that --clamp moved onto their public bounds",
};
const trusted: JsonSchema = {
  ...flag,
  description: "for a build with a guard: whether every guarded value stayed within its range",
};
const statement = { setting: text, security: text, truncation: text };
const chosenFor: JsonSchema = {
  ...object({ link: object({ name: text, mbitPerSecond: number, roundTripMs: number }), objective: text }),
  description: "the link, and the metric that protocol selection minimizes on it: time, online or total",
};
const measured = object({
  rounds: count,
  bytes,
  framingBytes: { ...count, description: "headers, handshakes and requests, without TLS" },
  seconds: object({ offline: number, online: number }, { setup: number }),
  peakMegabytes: { ...map(number), description: "heap and buffers of each party's thread" },
});
const cost = { bytes, correlationBytes: bytes, rounds: count };
const operator = object(
  {
    name: text,
    origin: text,
    layer: text,
    operator: text,
    protocol: text,
    ...cost,
    kernels: object({
      multiplyAdds: {
        ...object({ client: count, server: count }, { dealer: count, helper: count }),
        description: "multiply-add operations by party; the third party is the helper in 3pc, otherwise the dealer",
      },
      elements: { ...count, description: "number of elements of the result" },
    }),
    error: object({ ulps: number, failure: { ...number, description: "probability per element" } }),
  },
  { runnerUp: object({ protocol: text, rounds: count, bytes }) },
);
const shares = {
  ...map(object({ id: text, files: object({}, { client: text, server: text }) })),
  description: "outputs that stay shared: the id of the value, and the file of each party that ran here",
};
const run = document(
  { outputs, ...statement, queries: count },
  { predicted: traffic, measured, serverOutputs: outputs, sharedOutputs: outputs, shares, clamped, trusted },
);

const ofToken = object({ clear: number, offline: number, online: number });
const newKey = { role: text, folder: text, certificate: text, fingerprint: text, validUntil: text };
const knownParty = object({ party: text, fingerprint: text }, { validUntil: text });

/** Printed when the service ends. */
const listened = document({ listened: object({ host: text, port: count }) });

/**
 * JSON Schemas of the output of `--json`, by command; every command prints `error` when it fails, and `help` or `version`
 * where the command line asks for them. `schema` is the version of a document: within one version fields are added,
 * never changed or removed.
 */
export const schemas: Readonly<Record<string, JsonSchema>> = {
  error: document({ error: list(diagnostic) }),
  help: document({ help: text }),
  version: document({ version: text }),
  check: {
    ...document(
      { passed: flag, blockers: list(blocker) },
      {
        scope: {
          ...text,
          description: "of a model: import (its options say sizes at most) or compilation (all that compile refuses)",
        },
        annotated: text,
        notComputed: { ...list(text), description: "outputs without --reveal" },
        operators: list(object({ operator: text, count, supported: flag })),
        ...checkedBuild,
      },
    ),
    description: "`operators` for a model, all other optional fields for a build",
  },
  inspect: document(
    {},
    {
      stage: text,
      mir: text,
      manifest: anything,
      weights: {
        ...list(object({ name: text, label: text, why: text, shape: list(count) }, { sha256: text, moved: count })),
        description:
          "who knows each weight and why; `moved`: number of elements of a private weight that differ from the base",
      },
      constants: list(object({ name: text, shape: list(count), sha256: text })),
    },
  ),
  rewrite: document({ files: map(text), manifest: anything }),
  compile: document(
    {
      notComputed: { ...list(text), description: "outputs of the model without --reveal" },
      directory: text,
      name: text,
      ...statement,
      inexact: {
        ...list(object({ operator: text, count, at: list(text) })),
        description: "operators whose protocol may differ from the result of the interpreter",
      },
      chosenFor,
      caveats: list(text),
      programHash: text,
      artefactsHash: text,
      predicted: phases,
      files: map(count),
    },
    {
      verified: {
        ...list(
          object(
            { output: text, largest: number, secureError: number, plainError: number },
            {
              relativeError: number,
              declared: number,
              published: number,
              differing: object({ count, of: count }),
              undecided: object({ count, of: count, otherwise: count, farthest: number }),
            },
          ),
        ),
        description:
          "errors of each output against float64 on calibration samples, of the private weights; published: what the manifest declares; undecided: elements that depend on a decision within its distance, which are held to both outcomes; otherwise: those that differ by one, by up to farthest",
      },
      onnxRuntime: {
        ...object(
          {},
          {
            runtime: object({ name: text, version: text }),
            withoutAdapter: flag,
            outputs: list(object({ output: text, difference: number, allowed: number })),
            unavailable: text,
          },
        ),
        description:
          "what ONNX Runtime answers from the model's file against float64; allowed: what rounding to float32 explains; unavailable: why it was not compared",
      },
    },
  ),
  cost: document(
    {
      name: text,
      setting: text,
      chosenFor,
      totals: phases,
      parties: map(object({ sent: count, received: count })),
      failures: { ...number, description: "expected number of elements of one query that exceed every error bound" },
      operators: list(operator),
      layers: list(object({ layer: text, operators: count, ...cost })),
    },
    {
      wrap: {
        ...object({ runs: count }, { probability: number, at: text }),
        description: "probability that a query leaves its bounds: an extreme-value fit to the calibration runs",
      },
      preset: { ...text, description: "the published system whose approximations it has" },
      errors: {
        ...list(object({ tensor: text, declared: number, largest: number }, { published: flag })),
        description:
          "how far each output, revealed or shared, may be from the model in real numbers, from public facts alone; published: from private weights, as an integer of the published list; absent for a preset",
      },
      decisions: {
        ...list(
          object(
            {
              value: text,
              operator: text,
              at: text,
              distance: number,
              outputs: list(object({ tensor: text, differs: number })),
            },
            { published: flag },
          ),
        ),
        description:
          "operators that decide: operands at most `distance` from each other, or from an integer, may go either way, and an output may then differ by up to `differs`",
      },
      guard: {
        ...object({ elements: count, layers: count, headroom: count, offline: traffic, online: traffic }),
        description: "for a build with a guard: what its range checks cost in a query, contained in the totals",
      },
      decode: {
        ...object({ places: count, offline: traffic, online: traffic }),
        description: "for a build that caches keys and values: one token, at the last position",
      },
      explicitKeys: { ...count, description: "bytes of one party's keys as SIGMA sends them, without seeds" },
      links: list(
        object({
          link: text,
          mbitPerSecond: number,
          roundTripMs: number,
          communicationSeconds: object({ setup: number, offline: number, online: number }),
        }),
      ),
      diff: list(object({ phase: text, what: text, before: number, after: number })),
      exceeded: list(text),
    },
  ),
  run,
  query: run,
  generate: document(
    {
      prompt: text,
      text,
      tokens: list(count),
      stopped: text,
      ...statement,
      queries: count,
      predicted: traffic,
      measured,
    },
    {
      clamped,
      perToken: {
        ...list(object({ place: count, rounds: count, bytes, seconds: ofToken })),
        description:
          "for each query, in order: its position, traffic and times; clear: the plaintext layers of the client",
      },
    },
  ),
  evaluate: document(
    {
      prompts: count,
      nextTokens: count,
      agreeing: count,
      sameAnswers: count,
      exactMatch: { ...object({ reference: number, secure: number }), description: "percent of prompts" },
      largestError: { ...number, description: "largest difference of a logit from the plaintext model" },
      errorBound: { ...number, description: "bound from scales and depth; exit code 1 if largestError is larger" },
      ...statement,
      queries: count,
      predicted: traffic,
      measured,
    },
    {
      clamped,
      untrusted: {
        ...object({ queries: count, layers: list(text) }),
        description: "answers for which values of these layers leave their public bounds; exit code 1 if there are any",
      },
    },
  ),
  demo: {
    ...document({ compile: anything, generate: anything }),
    description: "the documents of `compile` and `generate`",
  },
  completion: document({ shell: text, script: text }),
  serve: listened,
  deal: listened,
  "keys init": document({ folders: map(text), invites: map(text), fingerprints: map(text), validUntil: text }),
  "keys init --role": document({ ...newKey, invites: map(text) }),
  "keys accept": document({ ...newKey, peers: list(object({ party: text, fingerprint: text })) }, { name: text }),
  "keys renew": document(newKey, { name: text }),
  "keys invite": document({ party: text, invite: text, peers: list(text), missing: list(text) }),
  "keys trust": document({ party: text, fingerprint: text }, { validUntil: text }),
  "keys revoke": document({ party: text, fingerprint: text }, { validUntil: text }),
  "keys list": document({ own: knownParty, peers: list(knownParty) }),
  doctor: document({ findings: list(object({ what: text, fine: flag, found: text }, { help: text, warning: flag })) }),
};
