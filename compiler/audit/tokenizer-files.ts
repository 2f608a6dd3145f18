import type { Finding } from "./finding.ts";
import { parseCanonicalJson } from "./json-schema.ts";
import { type BuildFiles, fileFinding } from "./party-files.ts";

/** What the tokenizers of Hugging Face read; the compiler copies these fields and no others. */
export const tokenizerFields: ReadonlySet<string> = new Set(
  (
    "version added_tokens normalizer pre_tokenizer post_processor decoder model id content single_word lstrip rstrip " +
    "normalized special type type_id ids tokens pattern Regex String behavior invert single pair SpecialToken Sequence " +
    "A B special_tokens sep cls vocab merges unk_token unk_id unk dropout fuse_unk byte_fallback ignore_merges " +
    "continuing_subword_prefix continuing_subword_suffix end_of_word_suffix max_input_chars_per_word clean_text " +
    "handle_chinese_chars strip_accents lowercase strip_left strip_right prepend replacement prepend_scheme split " +
    "add_prefix_space str_rep trim_offsets use_regex individual_digits normalizers pretokenizers processors decoders " +
    "prefix suffix cleanup start stop precompiled_charsmap pad_token word_delimiter_token length"
  ).split(" "),
);
export const tokenizerConfigFields: ReadonlySet<string> = new Set(
  (
    "tokenizer_class pad_token bos_token eos_token unk_token sep_token cls_token mask_token model_max_length padding_side " +
    "add_prefix_space add_bos_token add_eos_token clean_up_tokenization_spaces remove_space do_lowercase_and_remove_accent " +
    "additional_special_tokens target_lang content lstrip normalized rstrip single_word special __type"
  ).split(" "),
);
/** Keys of these are tokens. */
const byToken: ReadonlySet<string> = new Set(["vocab", "special_tokens"]);

const files: readonly (readonly [path: string, fields: ReadonlySet<string>])[] = [
  ["client/tokenizer.json", tokenizerFields],
  ["client/tokenizer_config.json", tokenizerConfigFields],
];

/** Tokenizer files have fields of tokenizers alone, and whole numbers; a vocabulary with scores has one real each. */
export const checkTokenizerFiles = (all: BuildFiles): readonly Finding[] =>
  files.flatMap(([path, fields]) => {
    const bytes = all.get(path);
    if (!bytes) return [];
    try {
      const strange = strangeParts(parseCanonicalJson(bytes), fields, "");
      return strange.slice(0, 5).map((what) => fileFinding(`${what} is no part of a tokenizer`, path));
    } catch {
      return [fileFinding("expected a tokenizer in the JSON that the compiler writes", path)];
    }
  });

function strangeParts(value: unknown, fields: ReadonlySet<string>, within: string): readonly string[] {
  if (typeof value === "number") {
    return Number.isSafeInteger(value) || within === "vocab" || within === "model_max_length"
      ? []
      : [`the number ${value}`];
  }
  if (Array.isArray(value)) return value.flatMap((item) => strangeParts(item, fields, within));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    if (byToken.has(within)) return strangeParts(item, fields, within === "vocab" ? "vocab" : "");
    return fields.has(key) ? strangeParts(item, fields, key) : [`the field ${JSON.stringify(key)}`];
  });
}

/** What no rule reads of a tokenizer: its strings, which are tokens. */
export function unreadOfTokenizer(bytes: Uint8Array): string {
  return `tokens and rules of ${bytes.length} bytes`;
}
