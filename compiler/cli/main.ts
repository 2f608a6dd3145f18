#!/usr/bin/env node
import { runCommandLine } from "./command-line.ts";
import { processIo } from "./process-io.ts";

// Not process.exit: what is still being written to a pipe would be cut off.
process.exitCode = await runCommandLine(process.argv.slice(2), processIo());
