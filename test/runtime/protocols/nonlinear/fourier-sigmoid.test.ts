import { fourierSigmoid, sigmoid as table } from "../../../../runtime/protocols/nonlinear/fourier-sigmoid.ts";
import { activationTests } from "../../../harness/activation.ts";
import { sigmoid } from "../../../harness/functions.ts";

activationTests(fourierSigmoid, table, sigmoid);
