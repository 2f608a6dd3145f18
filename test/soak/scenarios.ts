import { limitSpecs } from "../../compiler/services/service-limits.ts";
import { badPeers } from "./bad-peers.ts";
import { failuresText, type HonestClient, honestClient, type Outcome, quantile, usualHungSeconds } from "./clients.ts";
import { type Deployment, deploy, forget, type Prepared, prepare, prepareDate, watchResources } from "./deployment.ts";
import { besideHeavy } from "./heavy-programs.ts";
import { mutated, mutatedTiny, replayed } from "./hostile-sessions.ts";
import { killed, killedTiny } from "./kills.ts";

/** How much of everything a run has. */
export interface SoakSize {
  /** By which bad peers may delay an honest query. */
  readonly mostDelayMs: number;
  /** Rows of a program for which the dealer computes for long. */
  readonly rows: number;
  /** Frames that are changed on their way. */
  readonly frames: number;
  /** Layers of the program whose frames these are. */
  readonly frameLayers: number;

  readonly sessions: number;
  /** Sessions of the date fixture. */
  readonly dates: number;
  readonly probes: number;
  readonly kills: number;
  readonly layers: number;
  /** After this time a session hangs. A machine that has much else to do needs more. */
  readonly hungSeconds: number;
  readonly seconds: number;
}

export interface Row {
  readonly what: string;
  readonly asked: number;
  readonly right: number;
  readonly wrong: number;
  /** Failures by code; empty where there are none. */
  readonly failed: string;
  readonly measured: string;
  readonly passed: boolean;
}

export interface Setup {
  readonly size: SoakSize;
  readonly tiny: Prepared;
  readonly client: HonestClient;
  readonly at: Deployment;
}

const ms = (value: number): string => `${Math.round(value)} ms`;

export function row(what: string, outcomes: readonly Outcome[], measured: string, fine: boolean): Row {
  const of = (end: Outcome["end"]): number => outcomes.filter((each) => each.end === end).length;
  const hung = of("hung") > 0 ? `, ${of("hung")} hung` : "";
  return {
    ...{ what, asked: outcomes.length, right: of("right"), wrong: of("wrong") },
    ...{ failed: failuresText(outcomes) + hung, measured, passed: fine && of("wrong") + of("hung") === 0 },
  };
}

export const many = <T>(count: number, work: (k: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, k) => work(k)));
export const wait = (milliseconds: number): Promise<void> => new Promise((done) => void setTimeout(done, milliseconds));

/** Sessions of a tiny net at once, by one certificate: time of each from the start of all. */
async function atOnce({ size, client, at }: Setup): Promise<Row> {
  await client.ask(at);
  const outcomes = await many(size.sessions, () => client.ask(at));
  const { text, all, ratio } = times(outcomes);
  return row(`${size.sessions} sessions at once`, outcomes, text, all && ratio <= 4);
}

function times(outcomes: readonly Outcome[]) {
  const each = outcomes.map((outcome) => outcome.ms);
  const [p50, p99] = [quantile(each, 0.5), quantile(each, 0.99)];
  const all = outcomes.every(({ end }) => end === "right");
  return { all, ratio: p99 / p50, text: `p50 ${ms(p50)}, p99 ${ms(p99)}, p99/p50 ${(p99 / p50).toFixed(1)}` };
}

/** Honest queries, one by one, while bad peers are at work. */
async function besideBadPeers({ size, tiny, client, at }: Setup): Promise<Row> {
  const series = async (): Promise<Outcome[]> => {
    const outcomes: Outcome[] = [];
    for (let k = 0; k < size.probes; k++) outcomes.push(await client.ask(at));
    return outcomes;
  };
  const alone = await series();
  const bad = await badPeers(tiny, at);
  // At each of the three steps, more fall silent than the services have turns.
  const silent = 3 * (limitSpecs.maxSessions.fallback + 4);
  bad.unauthenticated(70);
  await bad.zombies(64);
  await bad.silent(silent);
  await bad.trickling(8);
  const beside = await series();
  bad.stop();
  const worst =
    Math.max(...beside.map((each) => each.ms)) -
    quantile(
      alone.map((each) => each.ms),
      0.5,
    );
  const all = beside.every(({ end }) => end === "right");
  return row(
    `70 unauthenticated, 64 zombies, ${silent} silent, 8 trickling`,
    beside,
    `worst delay ${ms(worst)}`,
    all && worst < size.mostDelayMs,
  );
}

/** Two clients with one identity, one after the other and at once, and memory and descriptors before and after. */
async function flat({ size, client, at }: Setup): Promise<Row> {
  await many(2, () => client.ask(at));
  const watch = watchResources(at);
  const outcomes: Outcome[] = [];
  const until = performance.now() + size.seconds * 1000;
  while (performance.now() < until) outcomes.push(...(await many(2, () => client.ask(at))));
  await wait(2_000);
  watch.look();
  const all = outcomes.every(({ end }) => end === "right");
  return row("two clients, one identity", outcomes, watch.text(), all && watch.isFlat());
}

/** Sessions of the date fixture at once, at a server and a dealer of their own. */
async function dateAtOnce({ size }: Setup): Promise<Row> {
  const built = await prepareDate();
  const at = await deploy(built);
  try {
    const client = await honestClient(built);
    await client.ask(at);
    const watch = watchResources(at);
    const outcomes = await many(size.dates, () => client.ask(at, 3_600_000));
    watch.look();
    const { text, all, ratio } = times(outcomes);
    return row(
      `${size.dates} sessions of the date fixture at once`,
      outcomes,
      `${text}; ${watch.text()}`,
      all && ratio <= 4,
    );
  } finally {
    await at.stop();
    forget(built);
  }
}

interface Scenario {
  readonly name: string;
  readonly run: (setup: Setup) => Promise<Row>;
  /** What the short version runs instead; null: nothing. */
  readonly short?: ((setup: Setup) => Promise<Row>) | null;
}

/** What the suite runs, in seconds. Its bound on a delay is that of a service that stalls, whatever else the machine does. */
export const shortSize: SoakSize = {
  ...{ sessions: 16, dates: 0, probes: 2, kills: 1, layers: 0 },
  ...{ seconds: 0.2, hungSeconds: usualHungSeconds, frames: 40, frameLayers: 0, rows: 0, mostDelayMs: 10_000 },
};

export const scenarios: readonly Scenario[] = [
  { name: "at-once", run: atOnce },
  { name: "dates", run: dateAtOnce, short: null },
  { name: "bad-peers", run: besideBadPeers },
  { name: "heavy", run: besideHeavy, short: null },
  { name: "mutated", run: mutated, short: mutatedTiny },
  { name: "replayed", run: replayed },
  { name: "kills", run: killed, short: killedTiny },
  { name: "flat", run: flat },
];

export async function openSetup(size: SoakSize): Promise<Setup> {
  const tiny = await prepare();
  return { size, tiny, client: await honestClient(tiny, size.hungSeconds), at: await deploy(tiny) };
}
