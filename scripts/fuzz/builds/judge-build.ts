// The oracle: parties run an accepted build on two secrets, and what the others see of them is compared.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { FlowReport } from "../../../compiler/audit/index.ts";
import { loadPartyBuild } from "../../../compiler/build/index.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import type { Role } from "../../../runtime/core/index.ts";
import { sizeOf } from "../../../runtime/ring/index.ts";
import { createRandom } from "../random.ts";
import { textOf } from "./edit-builds.ts";
import { drawSecrets, type Parties, runViews, type Secrets, type Views } from "./run-views.ts";
import type { BuildFiles } from "./seed-builds.ts";

export type Verdict = "safe" | "refused" | { readonly fault: string };

const roles: readonly Role[] = ["client", "server", "dealer"];

/** Of a folder that was checked alone, the other parties have the programs that fit: its author wrote theirs too. */
function completed(files: BuildFiles, sound: BuildFiles): BuildFiles {
  const present = roles.filter((role) => files.has(`${role}/program.js`));
  const [first] = present;
  if (first === undefined) return files;
  const missing = roles.filter((role) => !present.includes(role));
  const copies = missing.flatMap((role) => [
    ...["program.js", "program.mir", "manifest.json"].flatMap((name): [string, Uint8Array][] => {
      const bytes = files.get(`${first}/${name}`);
      if (!bytes) return [];
      const text = textOf(bytes).replace(`// ${first} program`, `// ${role} program`);
      return [[`${role}/${name}`, new TextEncoder().encode(text)]];
    }),
    ...[`${role}/weights.safetensors`].flatMap((path): [string, Uint8Array][] =>
      sound.has(path) ? [[path, sound.get(path)!]] : [],
    ),
  ]);
  return new Map([...files, ...copies]);
}

async function load(files: BuildFiles): Promise<Parties> {
  const dir = mkdtempSync(join(tmpdir(), "marillc-judged-"));
  try {
    for (const [path, bytes] of files) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), bytes);
    }
    const [client, server, dealer] = await Promise.all(roles.map((role) => loadPartyBuild(dir, role)));
    return { client: client!, server: server!, dealer: dealer! };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Runs under one secret. A random byte is the same in all of them, under both secrets, once in 2^48. */
const repeats = 4;

/** The value that bytes at a place, or differences of two places, have in every run; undefined where they vary. */
const constant = (runs: readonly Uint8Array[], at: number, less?: number): number | undefined => {
  const value = (run: Uint8Array): number => (less === undefined ? run[at]! : (run[at]! - run[less]!) & 255);
  const first = value(runs[0]!);
  return runs.every((run) => value(run) === first) ? first : undefined;
};

/**
 * Whether a party that owns neither secret sees which one it was: a byte, or a difference of two bytes (values under one
 * mask), that never varies under either and is not the same under both.
 */
export function tells(a: readonly Uint8Array[], b: readonly Uint8Array[]): string | undefined {
  const { length } = a[0]!;
  for (let at = 0; at < length; at++) {
    const differs = (less?: number): boolean => {
      const one = constant(a, at, less);
      if (one === undefined) return false;
      const other = constant(b, at, less);
      return other !== undefined && other !== one;
    };
    if (differs()) return `byte ${at}`;
    for (let less = 0; less < at; less++) if (differs(less)) return `bytes ${less} and ${at}`;
  }
  return undefined;
}

/** Each party opens what the report says, and no other element. */
function openedOtherwise(report: Pick<FlowReport, "opened">, { results }: Views): string | undefined {
  const said = report.opened.map(({ value, to, shape }) => `${value} of ${sizeOf(shape)} to the ${to}`).sort();
  const found = (["client", "server"] as const)
    .flatMap((role) =>
      [...results[role].outputs].map(([name, { shape }]) => `${name} of ${sizeOf(shape)} to the ${role}`),
    )
    .sort();
  return said.join() === found.join() ? undefined : `opens ${found.join()}, and says ${said.join()}`;
}

/** Runs an accepted build. "refused": a party does not load or run it. */
export async function judgeBuild(
  files: BuildFiles,
  report: Pick<FlowReport, "opened">,
  sound: BuildFiles,
  seed: number,
): Promise<Verdict> {
  const random = createRandom(seed);
  try {
    const parties = await load(completed(files, sound));
    const [a, b] = [drawSecrets(parties, random), drawSecrets(parties, random)];
    // Whose secrets change, and who may not see it.
    const pairs: readonly (readonly [seen: readonly Role[], Secrets])[] = [
      [["server", "dealer"], { inputs: b.inputs, weights: a.weights }],
      [["client", "dealer"], { inputs: a.inputs, weights: b.weights }],
    ];
    const runs = async (secrets: Secrets): Promise<readonly Views[]> => {
      const all: Views[] = [];
      for (let k = 0; k < repeats; k++) all.push(await runViews(parties, secrets));
      return all;
    };
    const before = await runs(a);
    const wrong = openedOtherwise(report, before[0]!);
    if (wrong !== undefined) return { fault: wrong };
    for (const [seen, secrets] of pairs) {
      const after = await runs(secrets);
      if (before.some(({ lengths }) => lengths !== after[0]!.lengths)) return { fault: "lengths tell a secret" };
      for (const role of seen) {
        const [one, other] = [before, after].map((all) => all.map(({ received }) => received[role]));
        const told = tells(one!, other!);
        if (told !== undefined) return { fault: `the ${role} sees a secret in ${told} of what it receives` };
      }
    }
    return "safe";
  } catch (error) {
    if (error instanceof DiagnosticError) return "refused";
    // What a party refuses once it runs costs an answer, and no secret.
    if (error instanceof Error && /SessionError|RangeError|Error/.test(error.name)) return "refused";
    throw error;
  }
}
