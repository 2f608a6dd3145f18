import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { fail } from "../ir/diagnostic.ts";

/** Files beside a model that say how text becomes tokens, in the form of Hugging Face. */
export const tokenizerFiles: readonly string[] = ["tokenizer.json", "tokenizer_config.json"];

export interface TextTokens {
  readonly encode: (text: string) => readonly number[];
  readonly decode: (ids: readonly number[]) => string;
  readonly pad: number;
  /** Tokens that end an answer. */
  readonly ends: readonly number[];
}

/** The tokenizer in a folder. @throws DiagnosticError MRL0670 when it is missing or cannot be read. */
export function readTokenizer(folder: string): TextTokens {
  const [tokenizerFile, configFile] = tokenizerFiles.map((name) => join(folder, name)) as [string, string];
  if (!existsSync(tokenizerFile)) {
    return fail({
      code: "MRL0670",
      message: "expected tokenizer.json beside the model, found none",
      at: folder,
      help: "copy the tokenizer files of the model there; inputs of token numbers need none: use --input",
    });
  }
  try {
    const json = JSON.parse(readFileSync(tokenizerFile, "utf8")) as object;
    const config = existsSync(configFile) ? (JSON.parse(readFileSync(configFile, "utf8")) as Config) : {};
    const tokenizer = new Tokenizer(json, config);
    const idOf = (token: Token | undefined): number | undefined =>
      token === undefined ? undefined : tokenizer.token_to_id(typeof token === "string" ? token : token.content);
    const end = idOf(config.eos_token);
    return {
      encode: (text) => tokenizer.encode(text).ids,
      decode: (ids) => tokenizer.decode([...ids], { skip_special_tokens: true }),
      pad: idOf(config.pad_token) ?? end ?? 0,
      ends: end === undefined ? [] : [end],
    };
  } catch (error) {
    return fail({
      code: "MRL0671",
      message: `expected a Hugging Face tokenizer, found ${error instanceof Error ? error.message : "something else"}`,
      at: tokenizerFile,
    });
  }
}

type Token = string | { readonly content: string };
interface Config {
  readonly eos_token?: Token;
  readonly pad_token?: Token;
}

/** Token numbers of a text in a window of fixed length, padded on the right. Undefined where it does not fit. */
export function fillWindow(tokens: TextTokens, text: string, length: number): Float64Array | undefined {
  const ids = tokens.encode(text);
  if (ids.length > length) return undefined;
  return Float64Array.from({ length }, (_, place) => ids[place] ?? tokens.pad);
}
