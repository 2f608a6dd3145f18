import { tokenizerConfigFields, tokenizerFields } from "../audit/index.ts";
import { canonicalJson } from "../build/index.ts";
import { readTokenizerFiles } from "../inputs/index.ts";

/** Keys of these are tokens. */
const byToken: ReadonlySet<string> = new Set(["vocab", "special_tokens"]);

function plainParts(value: unknown, fields: ReadonlySet<string>, within: string): unknown {
  if (Array.isArray(value)) return value.map((item) => plainParts(item, fields, within));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => byToken.has(within) || fields.has(key));
  return Object.fromEntries(kept.map(([key, item]) => [key, plainParts(item, fields, byToken.has(within) ? "" : key)]));
}

/**
 * The tokenizer files beside a model with what tokenizers read and nothing else: templates of chats, paths of the author
 * and the form of the text do not go to the client. A file that is no JSON is left out.
 */
export function plainTokenizerFiles(folder: string): readonly (readonly [name: string, text: string])[] {
  return [...readTokenizerFiles(folder)].flatMap(([name, bytes]) => {
    const fields = name === "tokenizer.json" ? tokenizerFields : tokenizerConfigFields;
    try {
      const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
      return [[name, canonicalJson(plainParts(value, fields, ""))] as const];
    } catch {
      return [];
    }
  });
}
