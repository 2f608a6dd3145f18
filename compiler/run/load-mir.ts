import type { Module } from "../../ir/module.ts";
import type { ParseOptions } from "../../ir/text/parse.ts";

/** Reads program.mir. The parser is loaded when it is needed: its grammar takes longer than most commands. */
export async function loadMir(text: string, options: ParseOptions): Promise<Module> {
  const { parse } = await import("../../ir/text/parse.ts");
  return parse(text, options);
}
