import { join } from "node:path";
import { loadPartyBuild } from "../../compiler/build/index.ts";
import { readIdentity } from "../../compiler/keys/index.ts";
import { sendProgram } from "../../compiler/services/program-frame.ts";
import { defaultProgramLimits, planPrograms } from "../../compiler/services/program-plan.ts";
import {
  agreementOf,
  connectionPurposes,
  handshakeFields,
  newSessionId,
} from "../../compiler/services/session-agreement.ts";
import { handshake, predictSetup } from "../../runtime/session/index.ts";
import { defaultMostWaitMs } from "../../runtime/transport/index.ts";
import { connect } from "../../runtime/transport/node/index.ts";
import { type Outcome, quantile } from "./clients.ts";
import { type Row, row, type Setup } from "./scenarios.ts";

/** Has the dealer deal for the tiny net of many rows, a text of a few kB, as both other parties. Ends when the dealer has dealt, or refused. */
async function heavySession({ tiny, size, at: { dealer } }: Setup): Promise<void> {
  const part = await loadPartyBuild(tiny.build, "server");
  const mir = part.mir.replaceAll("[1, 4, ", `[1, ${size.rows}, `);
  const { setting } = part.manifest;
  const programs = await planPrograms({ setting, programs: [new TextEncoder().encode(mir)] }, defaultProgramLimits);
  const agreement = { ...agreementOf(part), program: programs[0].hash };
  const session = newSessionId();
  const reach = async (role: "client" | "server") => {
    const identity = await readIdentity(join(tiny.keys, role));
    const purpose = connectionPurposes.correlations;
    // The dealer asks to wait for its memory, and for its other sessions.
    const patient = { purpose, session, mostWaitMs: defaultMostWaitMs };
    return await connect({ host: dealer.host, port: dealer.port, identity, expect: "dealer", ...patient });
  };
  const [client, server] = [await reach("client"), await reach("server")];
  try {
    await sendProgram(server, agreement, mir);
    const agree = (channel: typeof client, role: "client" | "server") =>
      handshake(channel, handshakeFields(agreement, role, session));
    await Promise.all([agree(client, "client"), agree(server, "server")]);
    await Promise.all([client.receive({ exactBytes: 32 }), server.receive({ exactBytes: 32 })]);
    await server.send(new Uint8Array(predictSetup(programs).bytes["server→dealer"]));
    await server.send(new TextEncoder().encode('{"kind":"query","query":0}'), "control");
    // Until the first correlations have come: the dealer computes all of them before.
    // Several at once wait for each other.
    await server.receive({ maxBytes: 2 ** 31, timeoutMs: 1_800_000 });
  } finally {
    await Promise.all([client.close(), server.close()]);
  }
}

/** More than a dealer on a small machine has threads. */
const atOnce = 4;

/** Honest queries while the dealer deals for several sessions of a large program. */
export async function besideHeavy(setup: Setup): Promise<Row> {
  const { client, at } = setup;
  const alone: Outcome[] = [];
  for (let k = 0; k < 3; k++) alone.push(await client.ask(at));
  const started = performance.now();
  let heavyMs = 0;
  const heavy = Promise.all(Array.from({ length: atOnce }, () => heavySession(setup))).finally(() => {
    heavyMs = performance.now() - started;
  });
  heavy.catch(() => {});
  const beside: Outcome[] = [];
  do beside.push(await client.ask(at));
  while (heavyMs === 0);
  await heavy;
  const times = (outcomes: readonly Outcome[]): number[] => outcomes.map(({ ms }) => ms);
  const delay = Math.max(...times(beside)) - quantile(times(alone), 0.5);
  const measured = `dealing took ${Math.round(heavyMs)} ms, worst delay ${Math.round(delay)} ms`;
  return row(
    `${atOnce} sessions of a program of ${setup.size.rows} rows`,
    beside,
    measured,
    beside.every(({ end }) => end === "right") && delay < setup.size.mostDelayMs,
  );
}
