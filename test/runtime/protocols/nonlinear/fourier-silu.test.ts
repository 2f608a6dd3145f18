import { fourierSilu, silu as table } from "../../../../runtime/protocols/nonlinear/fourier-silu.ts";
import { activationTests } from "../../../harness/activation.ts";
import { silu } from "../../../harness/functions.ts";

activationTests(fourierSilu, table, silu);
