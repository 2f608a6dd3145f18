import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { writeNpz } from "../../compiler/tensors/npz.ts";
import { tensor } from "../../ir/tensor.ts";
import { marillc } from "../cli/run-cli.ts";

/** A command line that a code answers, and what its user does next. */
export interface Refused {
  readonly code: string;
  readonly what: string;
  readonly argv: () => readonly string[];
  /** What the help line must say; every code of the list must have one. */
  readonly advice: RegExp;
  /** The command line, or the same after an edit of its files, that follows the advice. Absent: `argv` once more. */
  readonly next?: (help: string) => readonly string[];
  /** Absent: the advice is no action of the user, or needs another program. */
  readonly follow?: false;
}

/** A folder for the files of a test file, removed at its end. */
export function workFolder(name: string): { readonly at: (file: string) => string; readonly put: PutFile } {
  const dir = mkdtempSync(join(tmpdir(), `marillc-${name}-`));
  afterAll(() => rmSync(dir, { recursive: true }));
  const at = (file: string): string => join(dir, file);
  const put: PutFile = (file, content) => {
    writeFileSync(at(file), content);
    return at(file);
  };
  return { at, put };
}
type PutFile = (file: string, content: string | Uint8Array) => string;

/** One sample of float inputs as .npz. */
export const npz = (inputs: Readonly<Record<string, readonly (readonly number[])[]>>): Uint8Array =>
  writeNpz(
    new Map(
      Object.entries(inputs).map(([name, rows]) => [
        name,
        { dtype: "float32" as const, tensor: tensor([rows.length, rows[0]!.length], rows.flat()) },
      ]),
    ),
  );

const codesOf = (said: string): readonly string[] => [...said.matchAll(/^error (MRL\d{4})/gm)].map(([, code]) => code!);

/** The help lines that belong to a code. */
function helpOf(said: string, code: string): string {
  const lines = said.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`error ${code}`));
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => line.startsWith("error ") || line === "");
  const own = end < 0 ? rest : rest.slice(0, end);
  const help = own.findIndex((line) => line.startsWith("  help"));
  return help < 0 ? "" : own.slice(help).join("\n");
}

/** Values of options that do not exist or do not go together: docs/diagnostics.md. */
const isUsage = (code: string): boolean =>
  (code >= "MRL0650" && code <= "MRL0656") || (code >= "MRL0436" && code <= "MRL0438");

/** The option that a help line says to give, as words of a command line. */
export function optionIn(help: string, flag: string): readonly string[] {
  const [, value] = new RegExp(`${flag} ([\\w.=]*[\\w])`).exec(help) ?? [];
  if (value === undefined) throw new Error(`expected ${flag} <value> in: ${help}`);
  return [flag, value];
}

/** Provokes each code with its advice, follows the advice, and expects success. */
export function walk(refusals: readonly Refused[]): void {
  describe.each(refusals.map((each) => [`${each.code}: ${each.what}`, each] as const))("%s", (_, refused) => {
    test("is told with its advice, which works", async () => {
      const { code, out, err } = await marillc(...refused.argv());
      const said = out + err;
      expect(code, said).toBe(isUsage(refused.code) ? 2 : 1);
      expect(codesOf(said), said).toContain(refused.code);
      const help = helpOf(said, refused.code);
      expect(help, said).toMatch(refused.advice);
      if (refused.follow === false) return;
      const after = await marillc(...(refused.next ?? refused.argv)(help));
      expect(after.out + after.err).not.toMatch(/^error/m);
      expect(after.code, after.out + after.err).toBe(0);
    });
  });
}
