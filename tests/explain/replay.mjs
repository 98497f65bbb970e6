// Replays a run and writes the loss and the weights, m and v after each step, as doubles.

import fs from "node:fs";
import {readPayload} from "../../src/isograd/explain/assets/core/payload.js";
import {Run, Turn} from "../../src/isograd/explain/assets/core/run.js";

const run = new Run(readPayload(new Uint8Array(fs.readFileSync(0))));
const parts = [];
await run.everyStep(new Turn(), (replay, k, loss) => {
    for (const numbers of [Float64Array.of(loss), replay.weights, replay.m, replay.v]) {
        parts.push(Buffer.from(numbers.slice().buffer));
    }
});
fs.writeFileSync(1, Buffer.concat(parts));
