import { fourierGelu, gelu as table } from "../../../../runtime/protocols/nonlinear/fourier-gelu.ts";
import { activationTests } from "../../../harness/activation-tests.ts";
import { gelu, geluTanh } from "../../../harness/reference-functions.ts";

activationTests(fourierGelu, table, gelu, geluTanh);
