import { expect } from "vitest";
import type { CommandIo } from "../../compiler/cli/command.ts";
import { runCommandLine } from "../../compiler/cli/command-line.ts";
import { schemas } from "../../compiler/report/text/schemas.ts";
import { violations } from "./json-schema.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A command line in this process, with everything it says. */
export async function marillc(...argv: readonly string[]): Promise<Ran> {
  let [out, err] = ["", ""];
  const io: CommandIo = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    isTerminal: false,
    environment: {},
    interrupted: new Promise(() => {}),
    onHangup: () => () => {},
    beforeSignal: () => () => {},
  };
  const code = await runCommandLine(argv, io);
  return { code, out, err };
}

/** The same with --json: stdout must be one document of the published schema. */
export async function marillcJson<T>(...argv: readonly string[]): Promise<{ readonly code: number; readonly json: T }> {
  const { code, out } = await marillc(...argv, "--json");
  const json = JSON.parse(out) as T;
  const failed = typeof json === "object" && json !== null && "error" in json;
  const schema = schemas[failed ? "error" : argv[0]!];
  expect(schema && violations(json, schema)).toEqual([]);
  return { code, json };
}
