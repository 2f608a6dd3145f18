import { sessionError } from "../../runtime/core/index.ts";
import { type Channel, slowestLink, transmissionMs } from "../../runtime/transport/index.ts";
import { sha256 } from "../build/index.ts";
import { type ProgramTexts, refuseMore } from "./program-plan.ts";
import { type ProgramAgreement, pairingTimeoutMs, programsHash } from "./session-agreement.ts";

const maxHeaderBytes = 2048;
/** Limit on the number of programs beside the prefill program. */
const maxChunkPrograms = 64;

export interface SentProgram {
  readonly agreement: ProgramAgreement;
  readonly texts: ProgramTexts;
}

/** Sends the texts of the server's modules; the dealer needs nothing else of a build. */
export async function sendProgram(
  dealer: Channel,
  { setting, artefacts }: ProgramAgreement,
  mir: string,
  chunkMirs: readonly string[] = [],
): Promise<void> {
  const texts = [mir, ...chunkMirs].map((text) => new TextEncoder().encode(text));
  const head = JSON.stringify({ setting, artefacts, bytes: texts.map(({ length }) => length) });
  await dealer.send(new TextEncoder().encode(head), "control");
  for (const text of texts) await dealer.send(text, "control");
}

/**
 * Receives the texts of the modules, of which the header says how long they are: what is too long is not received. The
 * handshakes then check that the other parties have the same programs.
 * @throws SessionError malformed, programTooCostly where the texts are longer than `maxProgramBytes` together
 */
export async function receiveProgram(server: Channel, maxProgramBytes: number): Promise<SentProgram> {
  const due = { kind: "control", timeoutMs: pairingTimeoutMs } as const;
  const head = parseHeader(await server.receive({ ...due, maxBytes: maxHeaderBytes }));
  if (!head) throw sessionError("malformed", { peer: "server", what: "program" });
  const total = head.bytes.reduce((sum, bytes) => sum + bytes, 0);
  refuseMore(total, maxProgramBytes, "bytes of program text", "--max-program-bytes");
  const programs: Uint8Array[] = [];
  for (const exactBytes of head.bytes)
    programs.push(await server.receive({ ...due, exactBytes, extraMs: transmissionMs(slowestLink, exactBytes) }));
  const { setting, artefacts } = head;
  const [first, ...others] = programs.map(sha256) as [string, ...string[]];
  return {
    agreement: { setting, artefacts, program: programsHash([first, ...others]) },
    texts: { setting, programs },
  };
}

interface FrameHeader extends Pick<ProgramAgreement, "setting" | "artefacts"> {
  readonly bytes: readonly number[];
}

function parseHeader(body: Uint8Array): FrameHeader | undefined {
  try {
    const { setting, artefacts, bytes } = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>;
    const counts =
      Array.isArray(bytes) &&
      bytes.length >= 1 &&
      bytes.length <= 1 + maxChunkPrograms &&
      bytes.every((each) => Number.isSafeInteger(each) && each >= 0);
    const valid = typeof setting === "string" && /^[0-9a-f]{64}$/.test(String(artefacts)) && counts;
    return valid ? { setting, artefacts: String(artefacts), bytes: bytes as number[] } : undefined;
  } catch {
    return undefined;
  }
}
