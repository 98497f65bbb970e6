// Verifies a payload once as it is, and once for each [byte, bit] of the JSON in the argument with
// that bit flipped. `intact` is the second argument: what the SHA-256 would have said.

import fs from "node:fs";
import {readPayload} from "../../src/isograd/explain/assets/core/payload.js";
import {Run, Turn} from "../../src/isograd/explain/assets/core/run.js";
import {verifyRun} from "../../src/isograd/explain/assets/core/verify.js";

async function verdict(bytes, intact) {
    try {
        return await verifyRun(new Run(readPayload(bytes), intact), new Turn());
    } catch (error) {
        return {refused: error.message};
    }
}

const bytes = new Uint8Array(fs.readFileSync(0));
const [flips, intact] = process.argv.slice(2).map((text) => JSON.parse(text));
const verdicts = [await verdict(bytes, true)];
for (const [place, bit] of flips) {
    const damaged = bytes.slice();
    damaged[place] ^= 1 << bit;
    verdicts.push(await verdict(damaged, intact));
}
fs.writeFileSync(1, JSON.stringify(verdicts));
