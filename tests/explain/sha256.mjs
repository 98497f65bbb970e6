// Writes the SHA-256 of its input, in hex.

import {readFileSync} from "node:fs";
import {sha256} from "../../src/isograd/explain/assets/core/sha256.js";

process.stdout.write(Buffer.from(sha256(new Uint8Array(readFileSync(0)))).toString("hex"));
