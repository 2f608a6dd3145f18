import { type ChildProcess, fork } from "node:child_process";
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Endpoint } from "../../compiler/services/index.ts";
import { failuresText, honestClient, type Outcome } from "./clients.ts";
import { type Deployment, deploy, forget, type Prepared, prepare, type ServiceProcess } from "./deployment.ts";
import { type Row, row, type Setup, type SoakSize, wait } from "./scenarios.ts";

type Victim = "client" | "server" | "dealer";
const endpointOf = ({ host, port }: Endpoint): Endpoint => ({ host, port });

/** Stops a process for good, or for a moment. */
async function strike(child: ChildProcess, forGood: boolean): Promise<void> {
  if (forGood) {
    child.kill("SIGKILL");
    return;
  }
  child.kill("SIGSTOP");
  await wait(500 + randomInt(1500));
  child.kill("SIGCONT");
}

async function restarted(service: ServiceProcess): Promise<ServiceProcess> {
  await service.stop();
  return await service.again();
}

/** A client of its own process, which asks once. */
const startClient = (setup: object): ChildProcess =>
  fork(fileURLToPath(new URL("./soak-client.js", import.meta.url)), [JSON.stringify(setup)], { stdio: "ignore" });

const answerOf = (child: ChildProcess): Promise<Outcome | undefined> =>
  new Promise((done) => {
    child.on("message", (said) => void (typeof said === "object" && done(said as Outcome)));
    child.once("close", () => done(undefined));
  });

/** Who is hit: a client needs a process of its own, which only a built file can be. */
const victims: readonly Victim[] = import.meta.url.endsWith(".js")
  ? ["client", "server", "dealer"]
  : ["server", "dealer"];

/**
 * SIGKILL and SIGSTOP in the middle of sessions, at each party in turn, at a random moment. A session that is hit ends
 * right or with a code, and the next one is answered.
 */
export async function killed({ size }: Setup): Promise<Row> {
  const built = await prepare(size.layers);
  const at = await deploy(built);
  try {
    return await strikes(built, at, size);
  } finally {
    await at.stop();
    forget(built);
  }
}

/** The same at the deployment of the other scenarios, in which services are then new. */
export async function killedTiny(setup: Setup): Promise<Row> {
  return await strikes(setup.tiny, setup.at, setup.size);
}

/** `at` has the processes that run: one that is killed starts again. */
async function strikes(
  built: Prepared,
  at: { -readonly [K in keyof Deployment]: Deployment[K] },
  { kills: count, hungSeconds }: SoakSize,
): Promise<Row> {
  const client = await honestClient(built, hungSeconds);
  await client.ask(at);
  const { ms } = await client.ask(at);
  const outcomes: Outcome[] = [];
  let died = 0;
  for (let k = 0; k < count; k++) {
    const victim = victims[k % victims.length]!;
    const forGood = randomInt(3) > 0;
    const where = { server: endpointOf(at.server), dealer: endpointOf(at.dealer) };
    const child = victim === "client" ? startClient({ built, where, hungSeconds }) : undefined;
    const answer = child ? answerOf(child) : client.ask(at);
    // A process of its own takes its time to begin.
    if (child) await new Promise<void>((begun) => child.once("message", () => begun()));
    await wait(randomInt(Math.ceil(ms)));
    await strike(victim === "client" ? child! : at[victim].child, forGood);
    const outcome = await answer;
    if (outcome) outcomes.push(outcome);
    else died++;
    if (forGood && victim !== "client") at[victim] = await restarted(at[victim]);
    const next = await client.ask(at);
    outcomes.push(next);
    if (k % 10 === 9)
      console.error(`${k + 1} strikes, ${died} clients died; ${failuresText(outcomes) || "none failed"}`);
    if (next.end !== "right") return row("killed or stopped", outcomes, `the session after strike ${k} failed`, false);
  }
  const what = `${count} killed or stopped, in sessions of ${Math.round(ms)} ms`;
  return row(what, outcomes, `${died} clients died`, true);
}
