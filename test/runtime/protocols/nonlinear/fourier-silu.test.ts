import { fourierSilu, silu as table } from "../../../../runtime/protocols/nonlinear/fourier-silu.ts";
import { activationTests } from "../../../harness/activation-tests.ts";
import { silu } from "../../../harness/reference-functions.ts";

activationTests(fourierSilu, table, silu);
