// Reads a payload, its length before it; then, for each function of Libm, a number of arguments
// and the arguments. Writes the results in hex, a line each.

import {readFileSync} from "node:fs";
import {hexOf} from "../../src/isograd/explain/assets/core/numbers.js";
import {readPayload} from "../../src/isograd/explain/assets/core/payload.js";
import {Libm} from "../../src/isograd/explain/assets/core/rounded.js";

const NAMES = ["exp", "log", "cos", "sin", "inverse", "inverseSquare", "inverseRoot"];
NAMES.push("inverseRootCubed", "root", "square");

const given = new Uint8Array(readFileSync(0));
const length = new DataView(given.buffer).getUint32(0, true);
const libm = new Libm(readPayload(given.subarray(4, 4 + length)));
let rest = new Float64Array(given.buffer.slice(Math.ceil((4 + length) / 8) * 8));
const lines = [];
for (const name of NAMES) {
    const count = rest[0];
    lines.push(...Array.from(rest.subarray(1, 1 + count), (x) => hexOf(libm[name](x))));
    rest = rest.subarray(1 + count);
}
process.stdout.write(lines.join("\n"));
