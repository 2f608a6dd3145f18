import { createHash } from "node:crypto";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import type { Module } from "../../../ir/module.ts";
import { verify } from "../../../ir/verify.ts";
import type { Program } from "../../../runtime/program.ts";
import { sessionError } from "../../../runtime/session/errors.ts";
import { predict } from "../../../runtime/session/predict.ts";
import type { Channel } from "../../../runtime/transport/channel.ts";
import { planProgram } from "../../../targets/program/plan.ts";
import { programOf } from "../../execute.ts";
import { readModule } from "../read-module.ts";
import { type Agreement, meetingTimeoutMs, programsHash } from "./meeting.ts";

/** A module with a hundred thousand ops is smaller. */
const maxProgramBytes = 64 * 2 ** 20;
const maxHeadBytes = 1024;
/** What one query may take of the dealer unless it says otherwise: 4 GB. */
export const defaultMaxDealtBytes = 4e9;

export interface SentProgram {
  readonly agreement: Agreement;
  /** The window's, and that of one place where the build has one. */
  readonly programs: readonly [Program, Program?];
}

/** The modules' texts as the server has them; the dealer needs nothing else of a build. */
export async function sendProgram(
  dealer: Channel,
  { setting, artefacts }: Agreement,
  mir: string,
  decodeMir?: string,
): Promise<void> {
  const head = { setting, artefacts, ...(decodeMir !== undefined && { decode: true }) };
  await dealer.send(new TextEncoder().encode(JSON.stringify(head)), "control");
  await dealer.send(new TextEncoder().encode(mir), "control");
  if (decodeMir !== undefined) await dealer.send(new TextEncoder().encode(decodeMir), "control");
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
  const due = { kind: "control", timeoutMs: meetingTimeoutMs } as const;
  const head = parseHead(await server.receive({ ...due, maxBytes: maxHeadBytes }));
  const bytes = await server.receive({ ...due, maxBytes: maxProgramBytes });
  const more = head?.decode ? await server.receive({ ...due, maxBytes: maxProgramBytes }) : undefined;
  if (!head) throw sessionError("malformed", { peer: "server", what: "program" });
  const { sent, found } = await readPrograms(bytes, more, head);
  if (found > maxDealtBytes) {
    throw sessionError("programTooCostly", { peer: "server", found, expected: maxDealtBytes });
  }
  return sent;
}

interface Head extends Pick<Agreement, "setting" | "artefacts"> {
  readonly decode: boolean;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function readSound(bytes: Uint8Array): Promise<Module> {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const module = await readModule(text, { limit: maxProgramBytes });
  if (verify(module).length > 0 || module.stage !== "schedule") throw new TypeError("the module is not sound");
  return module;
}

/** Both programs, and what the dearest query takes of the dealer. */
async function readPrograms(
  bytes: Uint8Array,
  more: Uint8Array | undefined,
  { setting, artefacts }: Head,
): Promise<{ readonly sent: SentProgram; readonly found: number }> {
  try {
    const next = more && programOf(planProgram(await readSound(more), setting), sha256(more));
    const keeps = Object.keys(next?.kept ?? {});
    const window = programOf(planProgram(await readSound(bytes), setting, keeps), sha256(bytes));
    const programs: readonly [Program, Program?] = next ? [window, next] : [window];
    const dealt = programs.map((program) => predict(program!).offline.bytes["dealer→server"]);
    const agreement = { setting, artefacts, program: programsHash(window.hash, next?.hash) };
    return { sent: { agreement, programs }, found: Math.max(...dealt) };
  } catch (error) {
    // An error of planning may quote the module: the log and the peer hear of the fact alone.
    if (error instanceof DiagnosticError || error instanceof Error) {
      throw sessionError("malformed", { peer: "server", what: "program" });
    }
    throw error;
  }
}

function parseHead(bytes: Uint8Array): Head | undefined {
  try {
    const { setting, artefacts, decode } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const valid = typeof setting === "string" && /^[0-9a-f]{64}$/.test(String(artefacts));
    return valid ? { setting, artefacts: String(artefacts), decode: decode === true } : undefined;
  } catch {
    return undefined;
  }
}
