import { checkCommand } from "./check.ts";
import type { CommandSpec } from "./command.ts";
import { compileCommand } from "./compile.ts";
import { completionCommand } from "./completion.ts";
import { costCommand } from "./cost.ts";
import { dealCommand } from "./deal.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { evaluateCommand } from "./evaluate.ts";
import { generateCommand } from "./generate.ts";
import { inspectCommand } from "./inspect.ts";
import { keysAcceptCommand } from "./keys-accept.ts";
import { keysInitCommand } from "./keys-init.ts";
import {
  keysInviteCommand,
  keysListCommand,
  keysRenewCommand,
  keysRevokeCommand,
  keysTrustCommand,
} from "./keys-peers.ts";
import { debugCommand } from "./planned-commands.ts";
import { queryCommand } from "./query.ts";
import { rewriteCommand } from "./rewrite.ts";
import { runCommand } from "./run.ts";
import { serveCommand } from "./serve.ts";

/** All commands, in the order of the help. */
export const commands: readonly CommandSpec[] = [
  demoCommand,
  checkCommand,
  inspectCommand,
  rewriteCommand,
  compileCommand,
  costCommand,
  runCommand,
  generateCommand,
  evaluateCommand,
  keysInitCommand,
  keysAcceptCommand,
  keysInviteCommand,
  keysTrustCommand,
  keysRevokeCommand,
  keysListCommand,
  keysRenewCommand,
  dealCommand,
  serveCommand,
  queryCommand,
  doctorCommand,
  completionCommand(() => commands),
  debugCommand,
];
