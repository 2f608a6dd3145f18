export { duplicates, problem, readHead, readRange, readWhole, refuseForeignLink } from "./store.ts";
