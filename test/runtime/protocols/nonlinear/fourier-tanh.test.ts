import { fourierTanh, tanh as table } from "../../../../runtime/protocols/nonlinear/fourier-tanh.ts";
import { activationTests } from "../../../harness/activation-tests.ts";
import { tanh } from "../../../harness/reference-functions.ts";

activationTests(fourierTanh, table, tanh);
