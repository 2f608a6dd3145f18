import { fourierErf, erf as table } from "../../../runtime/protocols/fourier-erf.ts";
import { activationTests } from "../../harness/activation.ts";
import { erf } from "../../harness/functions.ts";

activationTests(fourierErf, table, erf);
