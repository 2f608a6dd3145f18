import { fourierErf, erf as table } from "../../../../runtime/protocols/nonlinear/fourier-erf.ts";
import { activationTests } from "../../../harness/activation-tests.ts";
import { erf } from "../../../harness/reference-functions.ts";

activationTests(fourierErf, table, erf);
