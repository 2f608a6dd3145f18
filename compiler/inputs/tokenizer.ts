import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { fail } from "../../ir/diagnostic.ts";
import { refuseForeignLink } from "../tensors/files/index.ts";

/** Tokenizer files of Hugging Face, beside a model. */
export const tokenizerFileNames: readonly string[] = ["tokenizer.json", "tokenizer_config.json"];

/** The largest vocabularies take 35 MB. */
const maxBytes = 2 ** 28;

/**
 * Reads the tokenizer files of a folder by name. Students get unchanged copies.
 * @throws DiagnosticError for a link out of the folder, and MRL0671 for a file that is not regular or too large.
 */
export const readTokenizerFiles = (folder: string): ReadonlyMap<string, Uint8Array> =>
  new Map(
    tokenizerFileNames.filter((name) => existsSync(join(folder, name))).map((name) => [name, read(folder, name)]),
  );

function read(folder: string, name: string): Uint8Array {
  const path = join(folder, name);
  refuseForeignLink(folder, path);
  const stat = statSync(path);
  const found = stat.isFile() ? `${stat.size} bytes` : "something that is not a file";
  if (stat.isFile() && stat.size <= maxBytes) return readFileSync(path);
  return fail({ code: "MRL0671", message: `expected a file of at most ${maxBytes} bytes, found ${found}`, at: path });
}

export interface TextTokenizer {
  readonly encode: (text: string) => readonly number[];
  readonly decode: (ids: readonly number[]) => string;
  readonly padToken: number;
  /** Tokens that end an answer. */
  readonly stopTokens: readonly number[];
}

/**
 * Reads the tokenizer of a folder. @throws DiagnosticError MRL0670 when it is missing, MRL0671 when it cannot be read.
 */
export function readTokenizer(folder: string): TextTokenizer {
  const files = readTokenizerFiles(folder);
  const [tokenizerFile, configFile] = tokenizerFileNames.map((name) => files.get(name));
  if (!tokenizerFile) {
    return fail({
      code: "MRL0670",
      message: "expected tokenizer.json beside the model, found none",
      at: folder,
      help: "copy the model's tokenizer files there, or give token numbers to `marillc run` with --input",
    });
  }
  try {
    const parse = (bytes: Uint8Array): object => JSON.parse(new TextDecoder().decode(bytes));
    const config: TokenizerConfig = configFile ? parse(configFile) : {};
    const tokenizer = new Tokenizer(parse(tokenizerFile), config);
    const idOf = (token: SpecialToken | undefined): number | undefined =>
      token === undefined ? undefined : tokenizer.token_to_id(typeof token === "string" ? token : token.content);
    const end = idOf(config.eos_token);
    return {
      encode: (text) => tokenizer.encode(text).ids,
      decode: (ids) => tokenizer.decode([...ids], { skip_special_tokens: true }),
      padToken: idOf(config.pad_token) ?? end ?? 0,
      stopTokens: end === undefined ? [] : [end],
    };
  } catch (error) {
    return fail({
      code: "MRL0671",
      message: `expected a Hugging Face tokenizer, found ${error instanceof Error ? error.message : "something else"}`,
      at: join(folder, tokenizerFileNames[0]!),
    });
  }
}

type SpecialToken = string | { readonly content: string };
interface TokenizerConfig {
  readonly eos_token?: SpecialToken;
  readonly pad_token?: SpecialToken;
}

/** Token numbers of a text, padded on the right to `length`. Undefined where the text is longer. */
export function padTokens(tokenizer: TextTokenizer, text: string, length: number): Float64Array | undefined {
  const ids = tokenizer.encode(text);
  if (ids.length > length) return undefined;
  return Float64Array.from({ length }, (_, position) => ids[position] ?? tokenizer.padToken);
}
