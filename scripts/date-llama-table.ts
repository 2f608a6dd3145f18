// One query of the fixture in three variants: npm run table [-- --link wan]
// Protocols are chosen for the link, and the run is shaped to it; default: chosen for wan, and not shaped. Prints the
// rounds, bytes and seconds of each variant.
import { parseArgs } from "node:util";
import { parseLink } from "../runtime/transport/index.ts";
import { repositoryFile } from "./pages.ts";
import { dateLlamaTable } from "./tables/date-llama.ts";

const { values: options } = parseArgs({ options: { link: { type: "string" } } });
const link = options.link === undefined ? undefined : parseLink(options.link);
console.log(await dateLlamaTable(repositoryFile("fixtures/date-llama"), link));
