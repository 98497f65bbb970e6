// node apply.mjs MODULE FUNCTION: applies a function of core/ to each double of its input, and
// writes the results: doubles, or lines of text.

import {readFileSync, writeSync} from "node:fs";

const [module, name] = process.argv.slice(2);
const functions = await import(`../../src/isograd/explain/assets/core/${module}`);
const numbers = new Float64Array(new Uint8Array(readFileSync(0)).buffer);
const results = Array.from(numbers, functions[name]);
const isText = typeof results[0] === "string";
const output = Buffer.from(isText ? results.join("\n") : Float64Array.from(results).buffer);
for (let at = 0; at < output.length; ) {
    at += writeSync(1, output, at);
}
