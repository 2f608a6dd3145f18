import { createHash } from "node:crypto";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import { verify } from "../../ir/verify.ts";
import { sessionError } from "../../runtime/core/index.ts";
import type { Program } from "../../runtime/program/index.ts";
import { predict } from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { planProgram } from "../../targets/program/plan.ts";
import { loadMir } from "../run/index.ts";
import { type ProgramAgreement, pairingTimeoutMs, programsHash } from "./session-agreement.ts";

/** A module with a hundred thousand ops is smaller. */
const maxProgramBytes = 64 * 2 ** 20;
const maxHeaderBytes = 1024;
/** Programs beside the window's. */
const maxChunkPrograms = 64;
/** What one query may take of the dealer unless it says otherwise: 4 GB. */
export const defaultMaxDealtBytes = 4e9;

export interface SentProgram {
  readonly agreement: ProgramAgreement;
  /** The window's, and where the build has them that of one place and those of shorter windows. */
  readonly programs: readonly [Program, ...Program[]];
}

/** The modules' texts as the server has them; the dealer needs nothing else of a build. */
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
 * Reads the module, checks and plans it. Nothing that came over the network is run as code: the plan is data, and the
 * dealer executes it with its own protocols. Whether it is the program of the others, their handshakes say.
 * A program of which one query takes more than `maxDealtBytes` of correlations is refused before anything is dealt.
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

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function readVerified(bytes: Uint8Array): Promise<Module> {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const module = await loadMir(text, { limit: maxProgramBytes });
  if (verify(module).length > 0 || module.stage !== "schedule") throw new TypeError("the module is not sound");
  return module;
}

/** All programs, and what the dearest query takes of the dealer. */
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
    // An error of planning may quote the module: the log and the peer hear of the fact alone.
    if (error instanceof DiagnosticError || error instanceof Error) {
      throw sessionError("malformed", { peer: "server", what: "program" });
    }
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
