import { parallel } from "../core/index.ts";
import * as protocols from "../protocols/index.ts";
import { local } from "./local-ops.ts";
import type { Toolbox } from "./program.ts";

export const toolbox: Toolbox = { protocols, local, parallel };
