import { createHash } from "node:crypto";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import { verify } from "../../../ir/verify.ts";
import type { Program } from "../../../runtime/program.ts";
import { sessionError } from "../../../runtime/session/errors.ts";
import { type Prediction, predict } from "../../../runtime/session/predict.ts";
import type { Channel } from "../../../runtime/transport/channel.ts";
import { planProgram } from "../../../targets/program/plan.ts";
import { programOf } from "../../execute.ts";
import { readModule } from "../read-module.ts";
import { type Agreement, meetingTimeoutMs } from "./meeting.ts";

/** A module with a hundred thousand ops is smaller. */
const maxProgramBytes = 64 * 2 ** 20;
const maxHeadBytes = 1024;
/** What one query may take of the dealer unless it says otherwise: 4 GB. */
export const defaultMaxDealtBytes = 4e9;

export interface SentProgram {
  readonly agreement: Agreement;
  readonly program: Program;
  readonly prediction: Prediction;
}

/** The module's text as the server has it; the dealer needs nothing else of a build. */
export async function sendProgram(dealer: Channel, { setting, artefacts }: Agreement, mir: string): Promise<void> {
  await dealer.send(new TextEncoder().encode(JSON.stringify({ setting, artefacts })), "control");
  await dealer.send(new TextEncoder().encode(mir), "control");
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
  if (!head) throw sessionError("malformed", { peer: "server", what: "program" });
  const sent = await readProgram(bytes, head);
  const found = sent.prediction.offline.bytes["dealer→server"];
  if (found > maxDealtBytes) {
    throw sessionError("programTooCostly", { peer: "server", found, expected: maxDealtBytes });
  }
  return sent;
}

type Head = Pick<Agreement, "setting" | "artefacts">;

async function readProgram(bytes: Uint8Array, head: Head): Promise<SentProgram> {
  const hash = createHash("sha256").update(bytes).digest("hex");
  try {
    const module = await readModule(new TextDecoder("utf-8", { fatal: true }).decode(bytes), {
      limit: maxProgramBytes,
    });
    if (verify(module).length > 0 || module.stage !== "schedule") throw new TypeError("the module is not sound");
    const program = programOf(planProgram(module, head.setting), hash);
    return { agreement: { ...head, program: hash }, program, prediction: predict(program) };
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
    const { setting, artefacts } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const valid = typeof setting === "string" && /^[0-9a-f]{64}$/.test(String(artefacts));
    return valid ? { setting, artefacts: String(artefacts) } : undefined;
  } catch {
    return undefined;
  }
}
