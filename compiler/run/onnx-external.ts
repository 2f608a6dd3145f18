import { dirname, join } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import { locationFault, type ScannedMessage, scanProtobuf } from "../onnx/format/index.ts";
import { readWholeFile, refuseForeignLink } from "../tensors/files/index.ts";

/** A data file of a model, as ONNX Runtime takes it where it cannot read files itself. */
export interface ExternalFile {
  /** As the model names it. */
  readonly path: string;
  readonly data: Uint8Array;
}

/** Node's buffers end at 4 GiB, and so does the memory of WebAssembly. */
const mostBytes = 2 ** 32 - 2;

/** The data files that the tensors of a model name, those of its inner graphs too. */
export function externalFiles(model: Uint8Array, file: string): ExternalFile[] {
  const locations = new Set<string>();
  visit(scanProtobuf(model, file), locations);
  return [...locations].map((path) => ({ path, data: read(path, file) }));
}

function visit({ children }: ScannedMessage, locations: Set<string>): void {
  for (const [field, messages] of children) {
    for (const message of messages) {
      if (field !== "external_data") visit(message, locations);
      else if (message.strings.get("key") === "location") locations.add(message.strings.get("value") ?? "");
    }
  }
}

function read(location: string, file: string): Uint8Array {
  const fault = locationFault(location);
  if (fault !== undefined) {
    const at = `${file}, external data "${location}"`;
    return fail({ code: "MRL0116", message: `the location of external data is refused: ${fault}`, at });
  }
  const path = join(dirname(file), location);
  refuseForeignLink(dirname(file), path);
  return readWholeFile(path, mostBytes, "MRL0117");
}
