// Reads numbers as float.hex writes them, a line each; writes doubles, or why a line is refused.

import {readFileSync, writeSync} from "node:fs";
import {fromHex} from "../../src/isograd/explain/assets/core/numbers.js";

function answer(text) {
    try {
        return Float64Array.from(text.split("\n"), fromHex).buffer;
    } catch (error) {
        return error.message;
    }
}

const output = Buffer.from(answer(readFileSync(0, "utf8")));
for (let at = 0; at < output.length; ) {
    at += writeSync(1, output, at);
}
