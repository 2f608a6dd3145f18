import { type SafetensorsTensor, writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { type HostileCase, type HostileClass, readInput, readPeft, readWeights } from "./cases.ts";
import { text } from "./models.ts";

type Entry = Readonly<Record<string, unknown>>;
const joined = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));

/** A safetensors file around any header and this many bytes of data. */
function safetensorsFile(header: string | Uint8Array, data: number, declared?: bigint): Uint8Array {
  const bytes = typeof header === "string" ? text(header) : header;
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, declared ?? BigInt(bytes.length), true);
  return joined(length, bytes, new Uint8Array(data));
}
const entry = (begin: number, end: number, more: Entry = {}): Entry => {
  return { dtype: "F32", shape: [(end - begin) / 4], data_offsets: [begin, end], ...more };
};
const header = (entries: Readonly<Record<string, Entry>>, data: number): Uint8Array =>
  safetensorsFile(JSON.stringify(entries), data);

const file = (name: string, bytes: () => Uint8Array, valid?: true): HostileCase => {
  return { name, files: () => ({ "model.safetensors": bytes() }), ...(valid && { valid }) };
};
const valid = (): Uint8Array => header({ a: entry(0, 4), b: entry(4, 12, { shape: [2, 1] }) }, 12);

/** An index of shards with these files beside it. */
function shards(
  name: string,
  map: Readonly<Record<string, unknown>>,
  links?: Readonly<Record<string, string>>,
): HostileCase {
  const index = () => text(JSON.stringify({ weight_map: map }));
  const files = () => ({ "model.safetensors.index.json": index(), "a.safetensors": header({ a: entry(0, 4) }, 4) });
  return { name, files, ...(links && { links }) };
}

const half = (name: string, rows: number, columns: number, value = 0.5): SafetensorsTensor => {
  const bytes = new Uint8Array(Float32Array.from({ length: rows * columns }, () => value).buffer);
  return { name: `base_model.model.${name}.weight`, dtype: "float32", shape: [rows, columns], bytes };
};
const halves = [half("q_proj.lora_A", 2, 4), half("q_proj.lora_B", 4, 2)];
const config = { peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["q_proj"] };

function adapter(
  name: string,
  changes: Entry | string,
  tensors: readonly SafetensorsTensor[] | Uint8Array = halves,
  more: Pick<HostileCase, "links" | "valid"> = {},
): HostileCase {
  const json = typeof changes === "string" ? changes : JSON.stringify({ ...config, ...changes });
  const weights = (): Uint8Array => (tensors instanceof Uint8Array ? tensors : writeSafetensors(tensors));
  return {
    name,
    files: () => ({ "adapter_config.json": text(json), "adapter_model.safetensors": weights() }),
    ...more,
  };
}

/** A path on which two nested repetitions backtrack for longer than any user waits. */
const longName = (letter: string): readonly SafetensorsTensor[] => {
  const path = letter.repeat(42);
  return [half(`${path}.lora_A`, 2, 4), half(`${path}.lora_B`, 4, 2)];
};

export const weightClasses: readonly HostileClass[] = [
  {
    name: "safetensors cut off",
    open: readWeights,
    codes: ["MRL0130", "MRL0131"],
    cases: [0, 1, 7, 8, 9, 40, 80, 120, 130, 134, 140].map((length) => {
      return file(`after ${length} bytes`, () => valid().subarray(0, Math.min(length, valid().length - 1)));
    }),
  },
  {
    name: "headers of safetensors",
    open: readWeights,
    codes: ["MRL0130", "MRL0131", "MRL0132"],
    cases: [
      file("as it should be", valid, true),
      file("a length of 2^64 - 1", () => safetensorsFile("{}", 0, 2n ** 64n - 1n)),
      file("a length of 2^53", () => safetensorsFile("{}", 0, 2n ** 53n)),
      file("a length of one more", () => safetensorsFile("{}", 0, 3n)),
      file("a length of 0", () => safetensorsFile("{}", 4, 0n)),
      file("100 MB of zeros declared", () => safetensorsFile(new Uint8Array(1000), 0, 99_999_999n)),
      file("no JSON", () => safetensorsFile("{", 0)),
      file("a list", () => safetensorsFile("[]", 0)),
      file("not UTF-8", () => safetensorsFile(Uint8Array.of(0x7b, 0xff, 0x7d), 0)),
      file("lists in one another", () => safetensorsFile("[".repeat(1_000_000), 0)),
      file("objects in one another", () => safetensorsFile('{"a":'.repeat(1_000_000), 0)),
      file("9 million values", () => safetensorsFile(`{"a":[${"[],".repeat(9_000_000)}[]]}`, 0)),
      file("a string of 50 MB", () => safetensorsFile(`{"a":"${"\\\\".repeat(25_000_000)}"}`, 0)),
      file("a key twice", () =>
        safetensorsFile(`{"a":${JSON.stringify(entry(0, 4))},"a":${JSON.stringify(entry(0, 4))}}`, 4),
      ),
      file("a key twice, once escaped", () => safetensorsFile('{"a":{},"\\u0061":{}}', 0)),
      file("dtype twice", () =>
        safetensorsFile('{"a":{"dtype":"F32","dtype":"F64","shape":[1],"data_offsets":[0,4]}}', 4),
      ),
      file("metadata that is a number", () => safetensorsFile('{"__metadata__":1}', 0)),
      file("a tensor that is null", () => safetensorsFile('{"a":null}', 0)),
      file("an unknown type", () => header({ a: entry(0, 4, { dtype: "F8_E4M3" }) }, 4)),
      file("a type called __proto__", () => header({ a: entry(0, 4, { dtype: "__proto__" }) }, 4)),
      file("no type", () => header({ a: { shape: [1], data_offsets: [0, 4] } }, 4)),
      file("a shape of half an element", () => header({ a: entry(0, 4, { shape: [0.5] }) }, 4)),
      file("a negative shape", () => header({ a: entry(0, 4, { shape: [-1] }) }, 4)),
      file("a shape of 2^53 · 2^53", () => header({ a: entry(0, 4, { shape: [2 ** 53 - 1, 2 ** 53 - 1] }) }, 4)),
      file("a shape whose product overflows to 1", () => header({ a: entry(0, 4, { shape: [2 ** 33, 2 ** 31] }) }, 4)),
      file("a shape of 1e400", () => safetensorsFile('{"a":{"dtype":"F32","shape":[1e400],"data_offsets":[0,4]}}', 4)),
      file("a shape of text", () => header({ a: entry(0, 4, { shape: ["1"] }) }, 4)),
      file("three offsets", () => header({ a: entry(0, 4, { data_offsets: [0, 4, 8] }) }, 8)),
      file("offsets that run backwards", () => header({ a: entry(0, 4, { data_offsets: [4, 0] }) }, 4)),
      file("offsets beyond 2^53", () => header({ a: entry(0, 4, { data_offsets: [2 ** 53, 2 ** 53 + 4] }) }, 4)),
      file("a negative offset", () => header({ a: entry(0, 4, { data_offsets: [-4, 0] }) }, 4)),
      file("a hole", () => header({ a: entry(0, 4), b: entry(8, 12) }, 12)),
      file("an overlap", () => header({ a: entry(0, 8), b: entry(4, 12) }, 12)),
      file("two tensors of one range", () => header({ a: entry(0, 4), b: entry(0, 4) }, 4)),
      file("bytes that belong to nobody", () => header({ a: entry(0, 4) }, 5)),
      file("a tensor beyond the end", () => header({ a: entry(0, 4) }, 3)),
      file(
        "names of every object",
        () =>
          safetensorsFile(
            '{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"constructor":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}',
            4,
          ),
        true,
      ),
    ],
  },
  {
    name: "safetensors in shards",
    open: readWeights,
    codes: ["MRL0130", "MRL0131", "MRL0133", "MRL0135"],
    cases: [
      shards("a path above", { a: "../a.safetensors" }),
      shards("an absolute path", { a: "/etc/passwd" }),
      shards("a backslash", { a: "..\\a.safetensors" }),
      shards("a hidden file", { a: ".a.safetensors" }),
      shards("a shard that is an object", { a: {} }),
      shards("a tensor that the shard lacks", { b: "a.safetensors" }),
      { ...shards("an index of nothing", {}), valid: true },
      shards("a shard that is missing", { a: "b.safetensors" }),
      shards("the index itself", { a: "model.safetensors.index.json" }),
      shards("a shard that links out", { a: "b.safetensors" }, { "b.safetensors": "OUTSIDE/secret" }),
    ],
  },
  {
    name: "PEFT adapters",
    open: readPeft,
    codes: ["MRL0101", "MRL0130", "MRL0131", "MRL0135", "MRL0140", "MRL0141", "MRL0142"],
    cases: [
      adapter("as it should be", {}, halves, { valid: true }),
      adapter("no JSON", "{"),
      adapter("a list", "[]"),
      adapter("a key twice", '{"peft_type":"LORA","r":2,"r":4,"lora_alpha":4,"target_modules":["q_proj"]}'),
      adapter("lists in one another", "[".repeat(500_000)),
      adapter("2 MB", JSON.stringify({ ...config, revision: "x".repeat(2_000_000) })),
      adapter("rank 0", { r: 0 }),
      adapter("rank -1", { r: -1 }),
      adapter("rank 2^53", { r: 2 ** 53 }),
      adapter("rank 1.5", { r: 1.5 }),
      adapter("rank 1e400", '{"peft_type":"LORA","r":1e400,"lora_alpha":4,"target_modules":["q_proj"]}'),
      adapter("alpha of text", { lora_alpha: "4" }),
      adapter("alpha 1e308", { lora_alpha: 1e308 }, [half("q_proj.lora_A", 2, 4), half("q_proj.lora_B", 4, 2, 1e30)]),
      adapter("targets that are an object", { target_modules: { q_proj: 1 } }),
      adapter("no targets", { target_modules: [] }),
      adapter("a target of every object", { target_modules: ["__proto__"] }),
      adapter("a pattern that is none", { target_modules: "(" }),
      adapter("a pattern that takes for ever", { target_modules: "(a+)+b" }, longName("a")),
      adapter("another that takes for ever", { target_modules: "(a|a)*b" }, longName("a")),
      adapter("one of twenty repetitions", { target_modules: `${"a*".repeat(20)}b` }, longName("a")),
      adapter(
        "a pattern of ranks that takes for ever",
        { target_modules: "a.*", rank_pattern: { "(a+)+b": 2 } },
        longName("a"),
      ),
      adapter("a pattern of 100 KB", { target_modules: "a?".repeat(50_000) }),
      adapter("a pattern that is code", { target_modules: '"); process.exit(1); ("' }),
      adapter("layers that are negative", { layers_to_transform: [-1] }),
      adapter("DoRA", { use_dora: true }),
      adapter("a field called __proto__", `{"__proto__":{"r":1},${JSON.stringify(config).slice(1)}`),
      adapter("code that fetches itself", { auto_mapping: { base_model_class: "x" }, custom_code: "import os" }),
      adapter("whole weights", {}, [...halves, half("classifier", 4, 4)]),
      adapter("a half without the other", {}, halves.slice(1)),
      adapter("halves of other ranks", {}, [halves[0]!, half("q_proj.lora_B", 4, 3)]),
      adapter("NaN", {}, [half("q_proj.lora_A", 2, 4, Number.NaN), halves[1]!]),
      adapter("infinity", {}, [halves[0]!, half("q_proj.lora_B", 4, 2, Number.POSITIVE_INFINITY)]),
      adapter("weights that are cut off", {}, writeSafetensors(halves).subarray(0, 100)),
      adapter("weights that are pickled", {}, Uint8Array.of(0x80, 2, 0x7d)),
      { name: "no weights", files: () => ({ "adapter_config.json": text(JSON.stringify(config)) }) },
      {
        name: "pickled weights alone",
        files: () => ({
          "adapter_config.json": text(JSON.stringify(config)),
          "adapter_model.bin": Uint8Array.of(0x80, 2),
        }),
      },
      {
        name: "a configuration that links out",
        files: () => ({ "adapter_model.safetensors": writeSafetensors(halves) }),
        links: { "adapter_config.json": "OUTSIDE/secret" },
      },
      {
        name: "weights that link out",
        files: () => ({ "adapter_config.json": text(JSON.stringify(config)) }),
        links: { "adapter_model.safetensors": "../outside/secret" },
      },
    ],
  },
  ...inputClasses(),
];

function npy(description: string, data: number): Uint8Array {
  const bytes = text(`${description}\n`);
  return joined(
    Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, bytes.length & 255, bytes.length >> 8),
    bytes,
    new Uint8Array(data),
  );
}
function describe(shape: string, type = "<f4", order = "False"): string {
  return `{'descr': '${type}', 'fortran_order': ${order}, 'shape': ${shape}, }`;
}
/** A zip of one stored entry, with the fields of its directory. */
function zip(
  name: string,
  data: Uint8Array,
  changes: { readonly size?: number; readonly method?: number; readonly offset?: number; readonly count?: number } = {},
): Uint8Array {
  const view = (length: number, fields: readonly (readonly [number, number, 2 | 4])[]): Uint8Array => {
    const bytes = new DataView(new ArrayBuffer(length));
    for (const [at, value, width] of fields)
      width === 2 ? bytes.setUint16(at, value, true) : bytes.setUint32(at, value, true);
    return new Uint8Array(bytes.buffer);
  };
  const label = text(name);
  const local = view(30, [
    [0, 0x04034b50, 4],
    [8, changes.method ?? 0, 2],
    [26, label.length, 2],
  ]);
  const central = view(46, [
    [0, 0x02014b50, 4],
    [10, changes.method ?? 0, 2],
    [20, data.length, 4],
    [24, changes.size ?? data.length, 4],
    [28, label.length, 2],
    [42, changes.offset ?? 0, 4],
  ]);
  const start = local.length + label.length + data.length;
  const end = view(22, [
    [0, 0x06054b50, 4],
    [10, changes.count ?? 1, 2],
    [16, start, 4],
  ]);
  return joined(local, label, data, central, label, end);
}

function inputClasses(): readonly HostileClass[] {
  const input = (name: string, path: string, bytes: () => Uint8Array): HostileCase => ({
    name,
    files: () => ({ [path]: bytes() }),
  });
  return [
    {
      name: "inputs",
      open: readInput,
      codes: [
        "MRL0102",
        "MRL0105",
        "MRL0109",
        "MRL0114",
        "MRL0116",
        "MRL0117",
        "MRL0150",
        "MRL0151",
        "MRL0152",
        "MRL0153",
      ],
      cases: [
        input("an empty .npy", "x.npy", () => new Uint8Array(0)),
        input("a .npy of objects", "x.npy", () => npy(describe("(1,)", "|O"), 8)),
        input("a shape of 10^30", "x.npy", () => npy(describe(`(1${"0".repeat(30)},)`), 4)),
        input("a shape of 2^32 · 2^32", "x.npy", () => npy(describe("(4294967296, 4294967296)"), 4)),
        input("a negative shape", "x.npy", () => npy(describe("(-1,)"), 4)),
        input("a shape that is code", "x.npy", () => npy(describe("(__import__('os').system('x'),)"), 4)),
        input("big-endian numbers", "x.npy", () => npy(describe("(1,)", ">f4"), 4)),
        input("a header beyond the end", "x.npy", () => npy(describe("(1,)"), 4).subarray(0, 20)),
        input("version 9", "x.npy", () => npy(describe("(1,)"), 4).with(6, 9)),
        input("an empty .npz", "x.npz", () => new Uint8Array(0)),
        input("a bomb that says 4 GB", "x.npz", () =>
          zip("x.npy", npy(describe("(1,)"), 4), { size: 2 ** 32 - 1, method: 8 }),
        ),
        input("an entry beyond the end", "x.npz", () => zip("x.npy", npy(describe("(1,)"), 4), { offset: 2 ** 31 })),
        input("65,535 entries", "x.npz", () => zip("x.npy", npy(describe("(1,)"), 4), { count: 65_535 })),
        input("an entry of another kind", "x.npz", () => zip("../x.py", text("import os"))),
        input("a wrong checksum", "x.npz", () => zip("x.npy", npy(describe("(1,)"), 4))),
        input("method 99", "x.npz", () => zip("x.npy", npy(describe("(1,)"), 4), { method: 99 })),
        input("broken JSON", "x.json", () => text('{"x": [1,')),
        input("ragged JSON", "x.json", () => text('{"x": [[1, 2], [3]]}')),
        input("lists in one another", "x.json", () => text(`{"x": ${"[".repeat(500_000)}`)),
        input("9 million lists", "x.json", () => text(`{"x": [${"[],".repeat(9_000_000)}[]]}`)),
        input("a name twice", "x.json", () => text('{"x": [1], "x": [2]}')),
        input("an uint8 of 300", "x.json", () => text('{"x": {"dtype": "uint8", "data": [300]}}')),
        input("a shape of 2^53", "x.json", () =>
          text('{"x": {"shape": [9007199254740991, 9007199254740991], "data": [1]}}'),
        ),
        input("an empty .pb", "x.pb", () => new Uint8Array(0)),
        input("a .pb of a type that is none", "x.pb", () => Uint8Array.of(0x10, 99)),
        input("a .pb of external data", "x.pb", () =>
          Uint8Array.of(0x10, 1, 0x70, 1, 0x6a, 0x0f, 0x0a, 8, ...text("location"), 0x12, 3, ...text("a/b")),
        ),
        input("another kind of file", "x.pkl", () => Uint8Array.of(0x80, 2)),
      ],
    },
  ];
}
