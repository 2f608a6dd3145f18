// The thread that runs edited builds: see ../worker.ts.
import { parentPort } from "node:worker_threads";
import { buildReportOf } from "./attempt-build.ts";
import { seedBuilds } from "./seed-builds.ts";

seedBuilds();
parentPort!.on("message", async (seed: number) => parentPort!.postMessage(await buildReportOf(seed)));
parentPort!.postMessage("ready");
