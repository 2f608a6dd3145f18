import type { BuildFiles } from "../../../../compiler/audit/party-files.ts";
import { withManifest } from "../builds.ts";
import { client, inAll, type Mutant, swap } from "./edits.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const header = (edit: (text: string) => string) => (files: BuildFiles) => {
  const path = "client/weights.safetensors";
  const file = files.get(path)!;
  const end = 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const text = edit(new TextDecoder().decode(file.subarray(8, end)).trimEnd());
  const out = new Uint8Array(8 + text.length + file.length - end);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(bytes(text), 8);
  out.set(file.subarray(end), 8 + text.length);
  return new Map([...files, [path, out]]);
};
/** Four bytes between the header and the tensors, and offsets that leave them out. */
const gap = (files: BuildFiles): BuildFiles => {
  const path = "client/weights.safetensors";
  const shifted = header((text) =>
    text.replace(/\[(\d+),(\d+)\]/g, (_, from, to) => `[${Number(from) + 4},${Number(to) + 4}]`),
  )(files).get(path)!;
  const start = 8 + Number(new DataView(shifted.buffer).getBigUint64(0, true));
  const out = Uint8Array.from([...shifted.subarray(0, start), 1, 2, 3, 4, ...shifted.subarray(start)]);
  return new Map([...files, [path, out]]);
};
/** A header of four bytes more than the file has, which a tensor of minus two numbers would make up for. */
const beyondEnd = (files: BuildFiles): BuildFiles => {
  const path = "server/weights.safetensors";
  const own = '{"model.k.bias@24":{"dtype":"I16","shape":[-2],"data_offsets":[-4,-4]}}';
  const text = own.padEnd(8 * Math.ceil(own.length / 8));
  const file = new Uint8Array(8 + text.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length + 4), true);
  file.set(bytes(text), 8);
  return new Map([...files, [path, file]]);
};
const withTokenizer = (name: string, text: string) => (files: BuildFiles) =>
  new Map([...files, [`client/${name}`, bytes(text)]]);
const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** Private numbers where nobody would read them. */
export const hiddenNumbers: readonly Mutant[] = [
  {
    what: "integers of a public weight that the manifest does not list",
    codes: ["MRL0912"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, integers: [] })),
  },
  {
    what: "a field more in the manifest",
    codes: ["MRL0901"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, more: [0.123] })),
  },
  {
    what: "a field more deep in the manifest",
    codes: ["MRL0901"],
    of: (files) =>
      withManifest(files, (manifest) => ({ ...manifest, cuts: [{ ...(manifest.cuts as object[])[0], more: 1 }] })),
  },
  {
    what: "metadata in a weight file",
    codes: ["MRL0912"],
    of: header((text) => text.replace("{", '{"__metadata__":{"w":"0.123"},')),
  },
  {
    what: "a field more in the header of a weight file",
    codes: ["MRL0912"],
    of: header((text) => text.replace('"dtype"', '"w":0.123,"dtype"')),
  },
  {
    what: "a key twice in the header of a weight file",
    codes: ["MRL0912"],
    of: header((text) => text.replace('"dtype"', '"dtype":"I32","dtype"')),
  },
  {
    what: "spaces in the header of a weight file",
    codes: ["MRL0912"],
    of: header((text) => text.replace(":", ": \t ")),
  },
  { what: "a header that ends behind its weight file", codes: ["MRL0912"], of: beyondEnd },
  { what: "a gap before the first tensor of a weight file", codes: ["MRL0912"], of: gap },
  { what: "a number in a comment", codes: ["MRL0901"], of: client(swap("// /k/Add", "// /k/Add 0.123")) },
  { what: "a comment more", codes: ["MRL0901"], of: inAll(swap("return { logits", "// 0.123\n    return { logits")) },
  { what: "a comment in the head", codes: ["MRL0901"], of: client(swap("; do not edit.", "; do not edit. 0.123")) },
  {
    what: "a field more in a tokenizer",
    codes: ["MRL0912"],
    of: withTokenizer("tokenizer.json", json({ model: { vocab: {} }, weights: [1] })),
  },
  {
    what: "reals in a tokenizer",
    codes: ["MRL0912"],
    of: withTokenizer("tokenizer.json", json({ added_tokens: [{ id: 0.123 }] })),
  },
  {
    what: "a template of chats",
    codes: ["MRL0912"],
    of: withTokenizer("tokenizer_config.json", json({ chat_template: "0.123" })),
  },
  {
    what: "spaces in a tokenizer",
    codes: ["MRL0912"],
    of: withTokenizer("tokenizer_config.json", '{ "pad_token":  "a" }'),
  },
];
