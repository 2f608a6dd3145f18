import { testLeaks } from "../../harness/leak-tests.ts";

testLeaks("masked-values");
