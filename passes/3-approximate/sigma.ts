/**
 * SIGMA (Gupta, Jawalkar, Mukherjee, Chandran, Gupta, Panwar, Sharma, PoPETs 2024; code: mpc-msri/EzPC, GPU-MPC). Its
 * functions are lookups, so no operator expands: its protocols compute them directly
 * (runtime/protocols/families/sigma). Products of matrices are truncated without slack, elementwise ones with it.
 */
import { type Preset, uniformPrecision } from "./preset.ts";

export const sigma: Preset = {
  name: "sigma",
  source: "SIGMA (Gupta et al., PoPETs 2024), section 5; code GPU-MPC of mpc-msri/EzPC",
  settings: ["2pc-dealer", "3pc"],
  // Family marill serves operators of the head only, such as a pooler's tanh.
  families: ["sigma", "marill"],
  ring: 50,
  // The rings that SIGMA's experiments use (its code's configurations, as FuseFSS reruns them).
  rings: { "bert-tiny": 37, "gpt-neo-1.3b": 51, "llama-7b": 48 },
  precision: uniformPrecision(12),
  // Norm weights and channel scales are elementwise products of their own.
  without: ["fold-norm-weight", "fold-channel-scale"],
  truncations: {
    matmul: "sigma.truncate",
    "layer-norm": "sigma.truncate-with-slack",
    "rms-norm": "sigma.truncate-with-slack",
    mul: "sigma.truncate-with-slack",
    rope: "sigma.truncate-with-slack",
  },
  rewrites: {},
};
