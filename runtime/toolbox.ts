import { local } from "./local.ts";
import type { Toolbox } from "./program.ts";
import * as protocols from "./protocols/index.ts";
import { parallel } from "./steps.ts";

export const toolbox: Toolbox = { protocols, local, parallel };
