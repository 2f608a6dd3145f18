import type { Module } from "../../ir/module.ts";
import { verify } from "../../ir/verify.ts";
import { sessionError } from "../../runtime/core/index.ts";
import type { Program } from "../../runtime/program/index.ts";
import { predict } from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { planProgram } from "../../targets/program/plan.ts";
import { sha256 } from "../build/index.ts";
import { loadMir } from "../run/index.ts";
import { type ProgramAgreement, pairingTimeoutMs, programsHash } from "./session-agreement.ts";

/** Bound on a program's text; a module with a hundred thousand ops is smaller. */
const maxProgramBytes = 64 * 2 ** 20;
const maxHeaderBytes = 1024;
/** Limit on the number of programs beside the prefill program. */
const maxChunkPrograms = 64;
/** Default limit on the correlations that one query takes from the dealer: 4 GB. */
export const defaultMaxDealtBytes = 4e9;

export interface SentProgram {
  readonly agreement: ProgramAgreement;
  /** The prefill program and, if the build has them, the decode program and the shorter prefill programs. */
  readonly programs: readonly [Program, ...Program[]];
}

/** Sends the texts of the server's modules; the dealer needs nothing else of a build. */
export async function sendProgram(
  dealer: Channel,
  { setting, artefacts }: ProgramAgreement,
  mir: string,
  chunkMirs: readonly string[] = [],
): Promise<void> {
  const head = { setting, artefacts, ...(chunkMirs.length > 0 && { further: chunkMirs.length }) };
  for (const text of [JSON.stringify(head), mir, ...chunkMirs]) {
    await dealer.send(new TextEncoder().encode(text), "control");
  }
}

/**
 * Receives, verifies and plans the modules. Nothing from the network runs as code: a plan is data, and the dealer
 * executes it with its own protocols. The handshakes then check that the other parties have the same programs.
 * @throws SessionError malformed for a text that is not a scheduled module, programTooCostly where one query takes more
 * than `maxDealtBytes` of correlations: the dealer then deals nothing
 */
export async function receiveProgram(
  server: Channel,
  maxDealtBytes: number = defaultMaxDealtBytes,
): Promise<SentProgram> {
  const due = { kind: "control", timeoutMs: pairingTimeoutMs } as const;
  const head = parseHeader(await server.receive({ ...due, maxBytes: maxHeaderBytes }));
  const bytes = await server.receive({ ...due, maxBytes: maxProgramBytes });
  const more: Uint8Array[] = [];
  for (let k = 0; k < (head?.further ?? 0); k++) {
    more.push(await server.receive({ ...due, maxBytes: maxProgramBytes }));
  }
  if (!head) throw sessionError("malformed", { peer: "server", what: "program" });
  const { sent, found } = await readPrograms(bytes, more, head);
  if (found > maxDealtBytes) {
    throw sessionError("programTooCostly", { peer: "server", found, expected: maxDealtBytes });
  }
  return sent;
}

interface FrameHeader extends Pick<ProgramAgreement, "setting" | "artefacts"> {
  readonly further: number;
}

async function readVerified(bytes: Uint8Array): Promise<Module> {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const module = await loadMir(text, { limit: maxProgramBytes });
  if (verify(module).length > 0 || module.stage !== "schedule")
    throw new TypeError("the module is not a valid scheduled module");
  return module;
}

/** Plans all programs, and counts the bytes of correlations that the most costly query takes from the dealer. */
async function readPrograms(
  bytes: Uint8Array,
  more: readonly Uint8Array[],
  { setting, artefacts }: FrameHeader,
): Promise<{ readonly sent: SentProgram; readonly found: number }> {
  try {
    const further: Program[] = [];
    for (const text of more)
      further.push(programFromPlan(planProgram(await readVerified(text), setting), sha256(text)));
    const keeps = Object.keys(further[0]?.cached ?? {});
    const prefill = programFromPlan(planProgram(await readVerified(bytes), setting, keeps), sha256(bytes));
    const programs: SentProgram["programs"] = [prefill, ...further];
    const dealt = programs.map((program) => predict(program).offline.bytes["dealer→server"]);
    const hash = programsHash([prefill.hash, ...further.map((each) => each.hash)]);
    const agreement = { setting, artefacts, program: hash };
    return { sent: { agreement, programs }, found: Math.max(...dealt) };
  } catch (error) {
    // A planning error may quote the module: the log and the peer get only the cause.
    if (error instanceof Error) throw sessionError("malformed", { peer: "server", what: "program" });
    throw error;
  }
}

function parseHeader(bytes: Uint8Array): FrameHeader | undefined {
  try {
    const { setting, artefacts, further = 0 } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const counts = Number.isSafeInteger(further) && Number(further) >= 0 && Number(further) <= maxChunkPrograms;
    const valid = typeof setting === "string" && /^[0-9a-f]{64}$/.test(String(artefacts)) && counts;
    return valid ? { setting, artefacts: String(artefacts), further: Number(further) } : undefined;
  } catch {
    return undefined;
  }
}
