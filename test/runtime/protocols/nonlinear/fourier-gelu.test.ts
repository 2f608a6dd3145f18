import { fourierGelu, gelu as table } from "../../../../runtime/protocols/nonlinear/fourier-gelu.ts";
import { activationTests } from "../../../harness/activation.ts";
import { gelu, geluTanh } from "../../../harness/functions.ts";

activationTests(fourierGelu, table, gelu, geluTanh);
