import type { Module } from "../../ir/module.ts";
import type { ParseOptions } from "../../ir/text/parse.ts";

/** Parses program.mir. Loads the parser on demand: its grammar takes longer to load than most commands run. */
export async function loadMir(text: string, options: ParseOptions): Promise<Module> {
  const { parse } = await import("../../ir/text/parse.ts");
  return parse(text, options);
}
