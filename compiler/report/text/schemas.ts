/**
 * JSON Schemas (2020-12) of what `--json` prints, by command; `error` is what any of them prints when it fails. A
 * document says its version in `schema`: within one version fields are added, never changed or taken away.
 */
export interface JsonSchema {
  readonly type?: "object" | "array" | "string" | "number" | "integer" | "boolean";
  readonly const?: number;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
  readonly items?: JsonSchema;
}

type Properties = Readonly<Record<string, JsonSchema>>;

const text: JsonSchema = { type: "string" };
const number: JsonSchema = { type: "number" };
const count: JsonSchema = { type: "integer" };
const flag: JsonSchema = { type: "boolean" };
const anything: JsonSchema = {};
const list = (items: JsonSchema): JsonSchema => ({ type: "array", items });
const map = (additionalProperties: JsonSchema): JsonSchema => ({ type: "object", additionalProperties });
/** All properties are required but the optional ones; others may follow. */
const object = (properties: Properties, optional: Properties = {}): JsonSchema => ({
  type: "object",
  properties: { ...properties, ...optional },
  required: Object.keys(properties),
});
const document = (properties: Properties, optional: Properties = {}): JsonSchema =>
  object({ schema: { const: 1 }, ...properties }, optional);

const bytes: JsonSchema = { ...map(count), description: 'payload by direction, as "client→server"' };
const traffic = object({ rounds: count, bytes });
const phases = object({ setup: traffic, offline: traffic, online: traffic });
const diagnostic = object({ code: text, message: text }, { at: text, help: text, because: list(text) });
const blocker = object(
  { code: text, message: text },
  { ...diagnostic.properties, node: text, operator: text, layer: text },
);
const outputs = map(object({ shape: list(count), type: text, data: list(number) }));
const statement = { setting: text, security: text, truncation: text };
const chosenFor: JsonSchema = {
  ...object({ link: object({ name: text, mbitPerSecond: number, roundTripMs: number }), objective: text }),
  description: "what protocols were chosen for: time, online time or total bytes, the least on this link",
};
const measured = object({
  rounds: count,
  bytes,
  framingBytes: { ...count, description: "headers, greetings and requests; TLS is not in it" },
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
        description: "of products, by party; the third one is the helper in 3pc, the dealer otherwise",
      },
      elements: { ...count, description: "size of the result" },
    }),
    error: object({ ulps: number, failure: { ...number, description: "probability, for each element" } }),
  },
  { runnerUp: object({ protocol: text, rounds: count, bytes }) },
);
const run = document(
  { outputs, ...statement, queries: count },
  { predicted: traffic, measured, serverOutputs: outputs },
);

const ofToken = object({ clear: number, offline: number, online: number });

/** When the service has ended. */
const listened = document({ listened: object({ host: text, port: count }) });

export const schemas: Readonly<Record<string, JsonSchema>> = {
  error: document({ error: list(diagnostic) }),
  check: {
    ...document(
      { passed: flag, blockers: list(blocker) },
      {
        annotated: text,
        notComputed: { ...list(text), description: "outputs that no --reveal names" },
        operators: list(object({ operator: text, count, supported: flag })),
        name: text,
        setting: text,
        security: text,
        parties: list(text),
        shared: list(object({ value: text, tensor: text, shape: list(count) })),
        opened: list(object({ value: text, tensor: text, to: text, shape: list(count), from: list(text) })),
        outputs: list(text),
        weights: object({ public: list(text), server: list(text) }),
        protocols: map(count),
        calls: count,
      },
    ),
    description: "of a model: `operators`; of a build: all the others",
  },
  inspect: document(
    {},
    {
      stage: text,
      mir: text,
      manifest: anything,
      weights: {
        ...list(object({ name: text, label: text, why: text, shape: list(count) }, { sha256: text, moved: count })),
        description: "who knows which and why; `moved`: how many elements of a private one are not the base's",
      },
      constants: list(object({ name: text, shape: list(count), sha256: text })),
    },
  ),
  rewrite: document({ files: map(text), manifest: anything }),
  compile: document({
    notComputed: { ...list(text), description: "outputs of the model that no --reveal names" },
    directory: text,
    name: text,
    ...statement,
    inexact: {
      ...list(object({ operator: text, count, at: list(text) })),
      description: "operators whose protocols may differ from the interpreter's result",
    },
    chosenFor,
    caveats: list(text),
    programHash: text,
    artefactsHash: text,
    predicted: phases,
    files: map(count),
  }),
  cost: document(
    {
      name: text,
      setting: text,
      chosenFor,
      totals: phases,
      parties: map(object({ sent: count, received: count })),
      failures: { ...number, description: "elements of a query that are expected to be wrong beyond any bound" },
      operators: list(operator),
      layers: list(object({ layer: text, operators: count, ...cost })),
    },
    {
      decode: {
        ...object({ places: count, offline: traffic, online: traffic }),
        description: "of a build that generates with a cache: one token, at the last place",
      },
      explicitKeys: { ...count, description: "bytes of one party's keys as SIGMA ships them, without seeds" },
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
      perToken: {
        ...list(object({ place: count, rounds: count, bytes, seconds: ofToken })),
        description:
          "of each query, in order: the place that it was about, and what it sent; clear: what the client computed alone",
      },
    },
  ),
  evaluate: document({
    prompts: count,
    nextTokens: count,
    agreeing: count,
    sameAnswers: count,
    exactMatch: { ...object({ reference: number, secure: number }), description: "percent of the prompts" },
    largestError: { ...number, description: "of a logit, against the plaintext model" },
    errorBound: { ...number, description: "from scales and depth; a larger error ends with exit 1" },
    ...statement,
    queries: count,
    predicted: traffic,
    measured,
  }),
  demo: {
    ...document({ compile: anything, generate: anything }),
    description: "the documents of `compile` and `generate`",
  },
  completion: document({ shell: text, script: text }),
  serve: listened,
  deal: listened,
  "keys init": document({ folders: map(text), invites: map(text), fingerprints: map(text), validUntil: text }),
  doctor: document({ findings: list(object({ what: text, fine: flag, found: text }, { help: text })) }),
};
