export { exchange, openWire } from "./open.ts";
