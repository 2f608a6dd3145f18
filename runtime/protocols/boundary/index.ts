export { exchangeTensors, maskAndOpen } from "./open.ts";
