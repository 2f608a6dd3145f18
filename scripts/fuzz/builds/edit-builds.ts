// Edits of a build at every level: bytes, words, lines, files, folders, encodings. Digests are made to match, as any
// author of a build can.
import { createHash } from "node:crypto";
import { mutateBytes } from "../mutate.ts";
import type { Random } from "../random.ts";
import type { BuildFiles } from "./seed-builds.ts";

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const sha256 = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");

const isText = (path: string): boolean => /\.(ts|js|mir|json)$/.test(path);
const baseName = (path: string): string => path.split("/").at(-1)!;

/** The files that an author would change together: one file, every copy of it, or both languages of every program. */
function together(files: BuildFiles, path: string, random: Random): readonly string[] {
  if (random.chance(0.25)) return [path];
  const name = baseName(path);
  const isProgram = /^program\.(ts|js)$/.test(name);
  return [...files.keys()].filter((each) =>
    isProgram ? /\/program\.(ts|js)$/.test(each) : baseName(each) === name && name !== "weights.safetensors",
  );
}

const word = /"[^"\n]*"|[A-Za-z_$][\w$.]*|-?\d+(?:\.\d+)?|[^\s\w]/g;
const hostile = [
  "",
  "__proto__",
  "constructor",
  "party",
  "local",
  "\u202e",
  "\\ud800",
  "server",
  "client",
  "dealer",
  "0",
];

/** A word becomes another word of its kind, is left out or doubled, or a number moves. The same word everywhere. */
function editWords(text: string, random: Random): (other: string) => string {
  const words = text.match(word) ?? [];
  const from = random.pick(words);
  const kind = (each: string): string =>
    /^["]/.test(each) ? '"' : /^-?\d/.test(each) ? "0" : /^\w/.test(each) ? "a" : ".";
  const alike = words.filter((each) => kind(each) === kind(from) && each !== from);
  const quoted = (name: string): string => (kind(from) === '"' ? `"${name}"` : name);
  const to = random.pick([
    () => random.pick(alike.length > 0 ? alike : words),
    () => random.pick(alike.length > 0 ? alike : words),
    () => (kind(from) === "0" ? String(Number(from) + random.pick([1, -1, 8, -8, 0.5])) : quoted(random.pick(hostile))),
    () => "",
    () => `${from} ${from}`,
  ])();
  const everywhere = random.chance(0.5);
  const nth = random.below(words.filter((each) => each === from).length);
  return (other) => {
    let seen = -1;
    return other.replace(word, (each) => (each === from && (++seen === nth || everywhere) ? to : each));
  };
}

/** A line is left out, doubled, or put elsewhere; by what it says, so that all copies change alike. */
function editLines(text: string, random: Random): (other: string) => string {
  const lines = text.split("\n");
  const [line, target] = [random.pick(lines), random.pick(lines)];
  const way = random.below(4);
  return (other) => {
    const theirs = other.split("\n");
    const at = theirs.indexOf(line);
    if (at < 0) return other;
    if (way === 1) theirs.splice(at, 0, line);
    else theirs.splice(at, 1);
    if (way >= 2) theirs.splice(theirs.indexOf(target) + (way - 2), 0, line);
    return theirs.join("\n");
  };
}

/** The same text in other bytes, or almost the same. */
const encodings: readonly ((text: string) => Uint8Array)[] = [
  (text) => bytesOf(`\ufeff${text}`),
  (text) => Uint8Array.from(Buffer.from(text, "utf16le")),
  (text) => bytesOf(text.replaceAll("\n", "\r\n")),
  (text) => bytesOf(text.replaceAll("\n", "\u2028")),
  (text) => bytesOf(`${text}\0`),
  (text) => bytesOf(text.replace(/"([A-Za-z])/, (_, c: string) => `"\\u00${c.charCodeAt(0).toString(16)}`)),
  (text) => bytesOf(text.replace(/[a-z]/, "\u0430")),
  (text) => bytesOf(text.replaceAll("  ", "\t")),
  (text) => bytesOf(text.trimEnd()),
  (text) => Uint8Array.from([...bytesOf(text), 0xff]),
];

/** Anything in a manifest: another value of its kind, or a field more or less. */
function editManifest(text: string, random: Random): string {
  const manifest = JSON.parse(text) as Record<string, unknown>;
  const holders: Record<string, unknown>[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if (Object.keys(value).length > 0) holders.push(value as Record<string, unknown>);
    for (const inner of Object.values(value)) visit(inner);
  };
  visit(manifest);
  const holder = random.pick(holders);
  const key = random.pick(Object.keys(holder));
  const value = holder[key];
  const other = holders.flatMap((each) => Object.values(each)).filter((each) => typeof each === typeof value);
  const way = random.below(4);
  if (way === 0) delete holder[key];
  else if (way === 1) holder[random.pick([...hostile, `${key}2`])] = value;
  else if (way === 2) holder[key] = typeof value === "number" ? value + random.pick([1, -1, 0.5]) : random.pick(other);
  else holder[key] = random.pick<unknown>([0, 1, "", "client", "server", "public", null, [], {}, "\u001b[8m"]);
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

/** Files and folders: left out, renamed, copied to another party, exchanged, or more. */
function editFiles(files: BuildFiles, random: Random): BuildFiles {
  const paths = [...files.keys()];
  const [path, other] = [random.pick(paths), random.pick(paths)];
  const names = [
    `${random.pick(["client", "server", "dealer"])}/${baseName(path)}`,
    `client/${path}`,
    `${path}~`,
    path.toUpperCase(),
    path.replace("/", "//"),
    `./${path}`,
    `client/../${path}`,
    path.replace(/\.js$/, ".mjs"),
    "client/package.json",
    "client/node_modules/x/index.js",
    `server/adapter-x.safetensors`,
    `${path}\u0000`,
  ];
  const bytes = files.get(path)!;
  return random.pick([
    () => new Map([...files].filter(([each]) => each !== path)),
    () => new Map([...files, [random.pick(names), bytes]]),
    () => new Map([...[...files].filter(([each]) => each !== path), [random.pick(names), bytes]]),
    () => new Map([...files, [path, files.get(other)!], [other, bytes]]),
    () => new Map([...files].filter(([each]) => !each.startsWith(`${path.split("/")[0]}/`))),
  ])();
}

type Level = readonly [name: string, edit: (files: BuildFiles, random: Random) => BuildFiles];

function inTexts(edit: (text: string, random: Random) => (other: string) => string) {
  return (files: BuildFiles, random: Random): BuildFiles => {
    const path = random.pick([...files.keys()].filter(isText));
    const change = edit(textOf(files.get(path)!), random);
    const changed = together(files, path, random).map((each): [string, Uint8Array] => [
      each,
      bytesOf(change(textOf(files.get(each)!))),
    ]);
    return new Map([...files, ...changed]);
  };
}

const levels: readonly Level[] = [
  [
    "bytes",
    (files, random) => {
      const path = random.pick([...files.keys()]);
      const changed = mutateBytes(files.get(path)!, random, [...files.values()]);
      return new Map([...files, ...together(files, path, random).map((each) => [each, changed] as const)]);
    },
  ],
  ["words", inTexts(editWords)],
  ["words", inTexts(editWords)],
  ["words", inTexts(editWords)],
  ["lines", inTexts(editLines)],
  ["lines", inTexts(editLines)],
  [
    "manifest",
    (files, random) => {
      const changed = bytesOf(editManifest(textOf(files.get("manifest.json")!), random));
      const copies = [...files.keys()].filter((path) => baseName(path) === "manifest.json");
      return new Map([...files, ...copies.map((path) => [path, changed] as const)]);
    },
  ],
  ["files", editFiles],
  [
    "encodings",
    (files, random) => {
      const path = random.pick([...files.keys()].filter(isText));
      const encode = random.pick(encodings);
      const copies = together(files, path, random);
      return new Map([...files, ...copies.map((each) => [each, encode(textOf(files.get(each)!))] as const)]);
    },
  ],
];

/** The digests of the manifest and of the programs match what is there, wherever these can be read. */
function resealed(files: BuildFiles): BuildFiles {
  try {
    const mir = files.get("program.mir")!;
    const manifest = JSON.parse(textOf(files.get("manifest.json")!)) as { programHash: string };
    const [before, after] = [manifest.programHash, sha256(mir)];
    const parts = ["weights.safetensors", "public.onnx", "head.onnx"].flatMap(
      (name) => files.get(`client/${name}`) ?? [],
    );
    const sealed = { ...manifest, programHash: after, artefactsHash: sha256([after, ...parts.map(sha256)].join("\n")) };
    const text = `${JSON.stringify(sealed, undefined, 2)}\n`;
    return new Map(
      [...files].map(([path, bytes]) => {
        if (baseName(path) === "manifest.json") return [path, bytesOf(text)];
        if (!/program\.[jt]s$/.test(path) || before === after) return [path, bytes];
        const program = textOf(bytes).replaceAll(before, after).replaceAll(before.slice(0, 12), after.slice(0, 12));
        return [path, bytesOf(program)];
      }),
    );
  } catch {
    return files;
  }
}

export interface EditedBuild {
  /** Its levels: "words, files". */
  readonly kind: string;
  readonly files: BuildFiles;
}

/** One to three edits, and their digests in two cases of three. */
export function editBuild(files: BuildFiles, random: Random): EditedBuild {
  const kinds: string[] = [];
  let edited = files;
  for (let count = random.pick([1, 1, 1, 2, 3]); count > 0; count--) {
    const [kind, edit] = random.pick(levels);
    try {
      edited = edit(edited, random);
    } catch {
      // An earlier edit took away what this one would change.
      continue;
    }
    kinds.push(kind);
  }
  return { kind: kinds.join(", "), files: random.chance(0.67) ? resealed(edited) : edited };
}
