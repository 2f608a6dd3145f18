import { expect, test } from "vitest";
import { folderOf, thirdPartyName } from "../../../compiler/build/party-names.ts";

test("only the helper of three parties has the folder of the dealer", () => {
  expect(["client", "server", "dealer", "helper"].map(folderOf)).toEqual(["client", "server", "dealer", "dealer"]);
  expect(["3pc", "2pc-dealer"].map(thirdPartyName)).toEqual(["helper", "dealer"]);
});
