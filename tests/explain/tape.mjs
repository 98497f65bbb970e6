// Writes the tape of a step: lengths and names as JSON, a zero byte, then all columns.

import fs from "node:fs";
import {SITES} from "../../src/isograd/explain/assets/core/model.js";
import {readPayload} from "../../src/isograd/explain/assets/core/payload.js";
import {Run} from "../../src/isograd/explain/assets/core/run.js";
import {OPERATIONS} from "../../src/isograd/explain/assets/core/tape.js";

const run = new Run(readPayload(new Uint8Array(fs.readFileSync(0))));
const {tape} = await run.graphOf(Number(process.argv[2]));
const n = tape.length;
const {starts, edges} = tape.linkParts(tape.order);
const columns = {
    operation: tape.operation.subarray(0, n), sites: tape.sites.subarray(0, n),
    first: tape.first.subarray(0, n), second: tape.second.subarray(0, n),
    order: tape.order, starts: starts.subarray(0, n + 1), edges,
    data: tape.data.subarray(0, n), grad: tape.grad.subarray(0, n),
    firstLocal: tape.firstLocal.subarray(0, n), secondLocal: tape.secondLocal.subarray(0, n),
};
const types = {Uint8Array: "B", Int32Array: "i", Float64Array: "d"};
const parts = Object.values(columns).map((x) => Buffer.from(x.buffer, x.byteOffset, x.byteLength));
const list = Object.entries(columns).map(([name, x]) => [name, types[x.constructor.name], x.length]);
const head = JSON.stringify({columns: list, operations: OPERATIONS, sites: SITES});
fs.writeFileSync(1, Buffer.concat([Buffer.from(head + "\0"), ...parts]));
