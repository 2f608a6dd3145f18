import { join } from "node:path";
import { loadPartyBuild } from "../../compiler/build/index.ts";
import { SessionError } from "../../compiler/index.ts";
import { readIdentity } from "../../compiler/keys/index.ts";
import { checkInputs, openLocal, readInputFiles } from "../../compiler/run/index.ts";
import { queryServer } from "../../compiler/services/index.ts";
import type { Deployment, Prepared } from "./deployment.ts";

/** What a client may hold of a session without an answer: 60 s, after which it hangs. */
const hungMs = 60_000;

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

export async function honestClient({ build, input, keys }: Prepared): Promise<HonestClient> {
  const part = await loadPartyBuild(build, "client");
  const identity = await readIdentity(join(keys, "client"));
  const inputs = checkInputs(part.manifest, readInputFiles([`tokens=${input}`]));
  const local = await openLocal({ dir: build, inProcess: true });
  const expected = String((await local.query(inputs)).outputs.get("logits")!.tensor.data);
  await local.end();
  return {
    ask: async ({ server, dealer }, allowedMs = hungMs) => {
      const started = performance.now();
      const ms = (): number => performance.now() - started;
      const late = AbortSignal.timeout(allowedMs);
      try {
        const { outputs } = await queryServer({ part, inputs, identity, server, dealer, signal: late });
        const found = String(outputs.get("logits")!.tensor.data);
        return { end: found === expected ? "right" : "wrong", ms: ms() };
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
