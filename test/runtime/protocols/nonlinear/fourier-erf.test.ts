import { fourierErf, erf as table } from "../../../../runtime/protocols/nonlinear/fourier-erf.ts";
import { activationTests } from "../../../harness/activation.ts";
import { erf } from "../../../harness/functions.ts";

activationTests(fourierErf, table, erf);
