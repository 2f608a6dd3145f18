import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type CompileOptions, compile, createKeys } from "../../compiler/index.ts";
import type { Endpoint } from "../../compiler/services/index.ts";
import { writeTiny } from "../end-to-end/tiny-model.ts";
import { writeChain } from "./chain-model.ts";

/** The built command line. This file runs from dist/test/soak, or from its sources in a test. */
const root = resolve(import.meta.dirname, import.meta.url.endsWith(".js") ? "../../.." : "../..");
const main = join(root, "dist/compiler/cli/main.js");

/** A server or a dealer as a process of its own, as an operator starts it. */
export interface ServiceProcess extends Endpoint {
  readonly child: ChildProcess;
  /** Another process with the same command line, at the same port. */
  readonly again: () => Promise<ServiceProcess>;
  /** All lines of its log. */
  readonly log: string[];
  readonly stop: () => Promise<void>;
}

async function start(args: readonly string[], log: string[], at = 0): Promise<ServiceProcess> {
  const listen = ["--listen", `127.0.0.1:${at}`];
  const child = spawn(process.execPath, [main, ...args, ...listen], { stdio: ["ignore", "pipe", "pipe"] });
  child.stderr!.on("data", (chunk: Buffer) => log.push(...chunk.toString().split("\n").filter(Boolean)));
  const gone = new Promise<void>((done) => void child.once("close", () => done()));
  const port = await new Promise<number>((found, failed) => {
    child.stdout!.on("data", (chunk: Buffer) => {
      const [, digits] = /listening on \S+:(\d+)\n/.exec(chunk.toString()) ?? [];
      if (digits) found(Number(digits));
    });
    child.once("close", (code) => failed(new Error(`${args[0]} ended with ${code}: ${log.join("\n")}`)));
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await gone;
  };
  return { host: "127.0.0.1", port, child, log, stop, again: () => start(args, log, port) };
}

/** One dealer and one server with a build and keys, in a folder of their own. */
export interface Deployment {
  readonly server: ServiceProcess;
  readonly dealer: ServiceProcess;
  readonly stop: () => Promise<void>;
}

export interface Prepared {
  readonly dir: string;
  readonly build: string;
  /** `tokens=<file>` */
  readonly input: string;
  readonly keys: string;
  /** Absent where answers are equal bit for bit: the row of the logits whose largest entry is the answer. */
  readonly answerRow?: number;
}

async function prepared(
  dir: string,
  options: Pick<CompileOptions, "model" | "base" | "adapter" | "calibrate" | "truncation">,
  rest: Pick<Prepared, "input" | "answerRow">,
): Promise<Prepared> {
  const [build, keys] = [join(dir, "build"), join(dir, "keys")];
  await compile({ ...options, reveal: { logits: "client" }, output: build, verify: false });
  await createKeys({ folder: keys });
  return { dir, build, keys, ...rest };
}
const newFolder = (): string => mkdtempSync(join(tmpdir(), "marillc-soak-"));

/** The tiny net, or a chain of so many layers. A build whose answers equal the interpreter's bit for bit: whatever differs is wrong. */
export async function prepare(layers: number | undefined = undefined): Promise<Prepared> {
  const dir = newFolder();
  const from = join(dir, "model");
  const { model, base, calibration, input } = layers === undefined ? writeTiny(from) : writeChain(from, layers);
  const options = { model, base, calibrate: calibration, truncation: "exact" } as const;
  return await prepared(dir, options, { input: `tokens=${input}` });
}

/** The date fixture, a language model of six layers. Softmax and norms round by shares, so its answer is a token. */
export async function prepareDate(): Promise<Prepared> {
  const [from, input] = [join(root, "fixtures/date-llama"), join(root, "fixtures/date-llama/prompt.json")];
  const { data } = (JSON.parse(readFileSync(input, "utf8")) as { input_ids: { data: number[] } }).input_ids;
  const answerRow = data.findLastIndex((token) => token !== 0);
  const [model, adapter] = [join(from, "base-ts17.onnx"), join(from, "adapter")];
  const options = { model, adapter, calibrate: join(from, "calibration.jsonl") };
  return await prepared(newFolder(), options, { input: `input_ids=${input}`, answerRow });
}

export const forget = ({ dir }: Prepared): void => rmSync(dir, { recursive: true, force: true });

export interface DeployOptions {
  readonly serve?: readonly string[];
  readonly deal?: readonly string[];
}

export async function deploy(prepared: Prepared, { serve = [], deal = [] }: DeployOptions = {}): Promise<Deployment> {
  const { build, keys } = prepared;
  const dealer = await start(["deal", "--identity", join(keys, "dealer"), ...deal], []);
  const at = `127.0.0.1:${dealer.port}`;
  const party = ["--dealer", at, "--identity", join(keys, "server")];
  const server = await start(["serve", join(build, "server"), ...party, ...serve], []);
  const running = {
    server,
    dealer,
    // Whatever runs by then: one that was killed has started again.
    stop: async (): Promise<void> => {
      await Promise.all([running.server.stop(), running.dealer.stop()]);
    },
  };
  return running;
}

/** Resident megabytes and open descriptors of a process, as Linux counts them. */
function resources({ child }: ServiceProcess): { readonly megabytes: number; readonly descriptors: number } {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
  return { megabytes: Math.round(kilobytes / 1e3), descriptors: readdirSync(`/proc/${child.pid}/fd`).length };
}

/** Memory and descriptors of both services, looked at now and then. */
export interface ResourceWatch {
  readonly look: () => void;
  readonly text: () => string;
  /** Whether the last look found about what the first one did. */
  readonly isFlat: () => boolean;
}

export function watchResources({ server, dealer }: Deployment): ResourceWatch {
  const looks = { server: [resources(server)], dealer: [resources(dealer)] };
  const all = Object.entries(looks);
  return {
    look: () => {
      looks.server.push(resources(server));
      looks.dealer.push(resources(dealer));
    },
    text: () =>
      all
        .map(
          ([name, of]) =>
            `${name} ${of.map(({ megabytes }) => megabytes).join(" → ")} MB, ${of[0]!.descriptors} → ${of.at(-1)!.descriptors} fds`,
        )
        .join("; "),
    isFlat: () =>
      all.every(([, of]) => {
        const [first, last] = [of[0]!, of.at(-1)!];
        return last.descriptors <= first.descriptors + 2 && last.megabytes <= first.megabytes * 1.5 + 50;
      }),
  };
}
