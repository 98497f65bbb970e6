// Reads a payload as the page holds it, in base64; writes what is in it as JSON, or why not.

import {readFileSync} from "node:fs";
import {hexOf} from "../../src/isograd/explain/assets/core/numbers.js";
import {decodePayload, readPayload} from "../../src/isograd/explain/assets/core/payload.js";

async function told(base64) {
    try {
        const {header, arrays} = readPayload(await decodePayload(base64));
        const text = (array) =>
            Array.from(array, array instanceof Float64Array ? hexOf : String);
        return {
            header,
            arrays: Object.fromEntries(
                Object.entries(arrays).map(([name, array]) => [name, text(array)]),
            ),
        };
    } catch (error) {
        return error.message;
    }
}

process.stdout.write(JSON.stringify(await told(readFileSync(0, "latin1"))));
