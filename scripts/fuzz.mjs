// Hostile files without end: npm run fuzz [-- --minutes 60] [-- --seed 1] [-- --case <seed>] [-- --keep-going]
// Needs `npm run build` before. A case is drawn from its seed alone; whatever ends in anything but a refusal with a code
// is made small, kept under build/fuzz, and ends the run with exit code 1.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker } from "node:worker_threads";

/** Per case: refusals take milliseconds. The first includes loading the compiler. */
const limits = { seconds: 30, heapMegabytes: 2048 };

/** undefined: read, or refused with a code. Otherwise what happened, in words that are the same for the same fault. */
function faultOf(error, tryAgain) {
  if (error?.name === "DiagnosticError") {
    const internal = error.diagnostics.find(({ code }) => code === "MRL0408");
    return internal && `MRL0408 ${internal.message}`.slice(0, 200);
  }
  const frame = error?.stack
    ?.split("\n")
    .find((line) => line.includes("/dist/"))
    ?.replace(/.*\/dist\//, "")
    .replace(/\)$/, "");
  return `${error?.name}: ${String(error?.message).slice(0, 120)} at ${frame ?? tryAgain}`;
}

function attempt({ tryCase }, kind, bytes, compiles) {
  try {
    tryCase(kind, bytes, compiles);
    return { done: true };
  } catch (error) {
    const fault = faultOf(error, kind);
    return fault ? { fault, stack: error.stack } : { done: false };
  }
}

/** Fewer bytes with the same fault: halves, quarters, … are left out while that changes nothing. */
function minimise(tools, { kind, bytes, compiles }, fault) {
  let best = bytes;
  const until = Date.now() + 10_000;
  for (let piece = best.length >> 1; piece > 0; piece >>= 1) {
    for (let at = 0; at < best.length && Date.now() < until; ) {
      const shorter = Uint8Array.from(Buffer.concat([best.subarray(0, at), best.subarray(at + piece)]));
      if (attempt(tools, kind, shorter, compiles).fault === fault) best = shorter;
      else at += piece;
    }
  }
  return best;
}

async function work() {
  const tools = await import("./fuzz/targets.mjs");
  parentPort.on("message", (seed) => {
    const drawn = tools.caseOf(seed);
    if (!drawn.bytes) return parentPort.postMessage({ seed, skipped: true });
    const { fault, stack, done } = attempt(tools, drawn.kind, drawn.bytes, drawn.compiles);
    const small = fault && minimise(tools, drawn, fault);
    parentPort.postMessage({ seed, kind: drawn.kind, fault, stack, done, small });
  });
  parentPort.postMessage({ ready: true });
}

function startWorker() {
  const worker = new Worker(fileURLToPath(import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: limits.heapMegabytes },
  });
  worker.on("error", () => {});
  return worker;
}

/** The worker's next word, or what became of it instead. */
function answerOf(worker) {
  return new Promise((resolve) => {
    const settle = (answer) => {
      clearTimeout(timer);
      worker.removeAllListeners("message").removeAllListeners("exit").removeAllListeners("error");
      worker.on("error", () => {});
      resolve(answer);
    };
    const timer = setTimeout(() => settle({ fault: `no answer in ${limits.seconds} s` }), limits.seconds * 1000);
    worker.once("message", settle);
    worker.once("error", (error) => settle({ fault: `the thread ended: ${error.message}` }));
    worker.once("exit", () => settle({ fault: "the thread ended" }));
  });
}

function keep({ seed, kind, fault, stack, small }) {
  const folder = fileURLToPath(new URL("../build/fuzz/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${seed}.json`, `${JSON.stringify({ seed, kind, fault, stack }, undefined, 2)}\n`);
  if (small) writeFileSync(`${folder}${seed}.bin`, small);
  console.error(
    `seed ${seed}: ${fault}\n  ${folder}${seed}.json${small ? `, ${small.length} bytes in ${seed}.bin` : ""}`,
  );
}

async function run() {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "60" },
      seed: { type: "string", default: "1" },
      case: { type: "string" },
      "keep-going": { type: "boolean", default: false },
    },
  });
  const first = Number(values.case ?? Number(values.seed) * 1_000_000_000);
  const until = Date.now() + Number(values.minutes) * 60_000;
  const counts = { cases: 0, read: 0, refused: 0, skipped: 0, crashed: 0 };
  const started = Date.now();
  const known = new Set();
  let worker = startWorker();
  await answerOf(worker);
  for (let seed = first; Date.now() < until; seed++) {
    worker.postMessage(seed);
    const answer = await answerOf(worker);
    counts.cases++;
    counts[answer.fault ? "crashed" : answer.skipped ? "skipped" : answer.done ? "read" : "refused"]++;
    if (answer.fault && !known.has(answer.fault)) {
      known.add(answer.fault);
      keep({ ...answer, seed });
    }
    if (answer.fault?.startsWith("no answer") || answer.fault?.startsWith("the thread")) {
      await worker.terminate();
      worker = startWorker();
      await answerOf(worker);
    }
    if (values.case !== undefined || (answer.fault && !values["keep-going"])) break;
  }
  await worker.terminate();
  const minutes = ((Date.now() - started) / 60_000).toFixed(1);
  console.log(
    `${minutes} minutes: ${Object.entries(counts)
      .map(([what, count]) => `${count} ${what}`)
      .join(", ")}`,
  );
  process.exitCode = counts.crashed > 0 ? 1 : 0;
}

if (isMainThread) await run();
else await work();
