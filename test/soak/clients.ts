import { join } from "node:path";
import { loadPartyBuild } from "../../compiler/build/index.ts";
import { SessionError } from "../../compiler/index.ts";
import { readIdentity } from "../../compiler/keys/index.ts";
import { checkInputs, openLocal, readInputFiles } from "../../compiler/run/index.ts";
import { queryServer } from "../../compiler/services/index.ts";
import type { TypedTensor } from "../../compiler/tensors/index.ts";
import type { Deployment, Prepared } from "./deployment.ts";

/** How long a session may take, unless its caller knows better: after that it hangs. */
export const usualHungSeconds = 60;

/** What became of one session. `wrong`: an answer that differs from that of parties in one process. */
export interface Outcome {
  readonly end: "right" | "wrong" | "failed" | "hung";
  readonly code?: string;
  readonly ms: number;
}

/** An honest client with one identity, which asks the same question again and again. */
export interface HonestClient {
  readonly ask: (at: Pick<Deployment, "server" | "dealer">, allowedMs?: number) => Promise<Outcome>;
}

/** The most likely token of a row. */
function tokenOf(logits: ArrayLike<number>, shape: readonly number[], row: number): number {
  const width = shape.at(-1)!;
  const values = Array.from({ length: width }, (_, k) => logits[row * width + k]!);
  return values.indexOf(Math.max(...values));
}

export async function honestClient(
  { build, input, keys, answerRow }: Prepared,
  hungSeconds = usualHungSeconds,
): Promise<HonestClient> {
  const part = await loadPartyBuild(build, "client");
  const identity = await readIdentity(join(keys, "client"));
  const inputs = checkInputs(part.manifest, readInputFiles([input]));
  const local = await openLocal({ dir: build, inProcess: true });
  const answer = (outputs: ReadonlyMap<string, TypedTensor>): string => {
    const { data, shape } = outputs.get("logits")!.tensor;
    return answerRow === undefined ? String(data) : `token ${tokenOf(data, shape, answerRow)}`;
  };
  const expected = answer((await local.query(inputs)).outputs);
  await local.end();
  return {
    ask: async ({ server, dealer }, allowedMs = hungSeconds * 1000) => {
      const started = performance.now();
      const ms = (): number => performance.now() - started;
      const late = AbortSignal.timeout(allowedMs);
      try {
        const { outputs } = await queryServer({ part, inputs, identity, server, dealer, signal: late });
        return { end: answer(outputs) === expected ? "right" : "wrong", ms: ms() };
      } catch (error) {
        if (late.aborted) return { end: "hung", ms: ms() };
        const code = error instanceof SessionError ? (error.peerCode ?? error.code) : String(error);
        return { end: "failed", code, ms: ms() };
      }
    },
  };
}

export const quantile = (numbers: readonly number[], part: number): number =>
  [...numbers].sort((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * part))] ?? 0;

/** Codes and how often each came, as text. */
export function failuresText(outcomes: readonly Outcome[]): string {
  const counts = new Map<string, number>();
  for (const { end, code } of outcomes) if (end === "failed") counts.set(code!, (counts.get(code!) ?? 0) + 1);
  return [...counts].map(([code, count]) => `${count} × ${code}`).join(", ");
}
