import { fourierTanh, tanh as table } from "../../../../runtime/protocols/nonlinear/fourier-tanh.ts";
import { activationTests } from "../../../harness/activation.ts";
import { tanh } from "../../../harness/functions.ts";

activationTests(fourierTanh, table, tanh);
