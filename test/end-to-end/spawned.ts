import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const main = resolve(import.meta.dirname, "../../dist/compiler/cli/main.js");

/** The built command line: a fresh clone has none until it is built. */
export function requireBuilt(): void {
  if (!existsSync(main)) throw new Error(`${join("dist", "compiler/cli/main.js")} is missing: npm run build`);
}

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Words of a command line as a shell would split them: double quotes hold together. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);

/** `marillc …` as a process of its own. */
export function start(line: string, cwd: string, environment: Readonly<Record<string, string>> = {}): ChildProcess {
  const [program, ...args] = wordsOf(line);
  if (program !== "marillc") throw new Error(`no command of ours: ${line}`);
  return spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

export async function finish(child: ChildProcess): Promise<Finished> {
  let [out, err] = ["", ""];
  child.stdout!.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr!.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const code = await new Promise<number | null>((done) => void child.once("close", done));
  return { code, out, err };
}

export const run = (line: string, cwd: string): Promise<Finished> => finish(start(line, cwd));

/** Waits for "listening on host:port" and gives that address. */
export const listening = (child: ChildProcess): Promise<string> =>
  new Promise((found, failed) => {
    let out = "";
    child.stdout!.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      const [, address] = /listening on (\S+)\n/.exec(out) ?? [];
      if (address) found(address);
    });
    child.once("close", (code) => failed(new Error(`ended with ${code} before it listened`)));
  });
