import { fourierSigmoid, sigmoid as table } from "../../../../runtime/protocols/nonlinear/fourier-sigmoid.ts";
import { activationTests } from "../../../harness/activation-tests.ts";
import { sigmoid } from "../../../harness/reference-functions.ts";

activationTests(fourierSigmoid, table, sigmoid);
