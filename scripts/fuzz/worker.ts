// The thread that runs cases, so that a case that hangs or fills the heap ends the thread and not the campaign.
import { parentPort } from "node:worker_threads";
import { reportOf } from "./attempt.ts";

parentPort!.on("message", (seed: number) => parentPort!.postMessage(reportOf(seed)));
parentPort!.postMessage("ready");
