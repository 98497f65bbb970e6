// Asks the worker: {payload, other, questions: [[name, ...arguments]]} as JSON comes in; a list of
// {answer} or {error} and the order of the answers go out. Doubles that JSON cannot hold go as
// {"hex": ".."}; "$other" stands for the other payload.

import fs from "node:fs";

const {payload, sha256, other, questions} = JSON.parse(fs.readFileSync(0, "utf8"));
const answers = [];
const order = [];
let progress = 0;
const isDone = new Promise((resolve) => {
    globalThis.postMessage = (message) => {
        if (message.progress) {
            progress++;
            return;
        }
        answers[message.id] = "error" in message ? {error: message.error} : {answer: message.answer};
        order.push(message.id);
        if (order.length === questions.length + 1) {
            resolve();
        }
    };
});

function plain(x) {
    if (typeof x === "number") {
        const isSafe = Number.isFinite(x) && !Object.is(x, -0);
        return isSafe ? x : {special: Object.is(x, -0) ? "-0.0" : String(x)};
    }
    if (ArrayBuffer.isView(x)) {
        return Array.from(x, plain);
    }
    if (Array.isArray(x)) {
        return x.map(plain);
    }
    if (x && typeof x === "object") {
        return Object.fromEntries(Object.entries(x).map(([key, value]) => [key, plain(value)]));
    }
    return x;
}

await import("../../src/isograd/explain/assets/core/worker.js");
globalThis.onmessage({data: {id: 0, ask: "open", args: [payload, sha256]}});
while (!order.length) {
    await new Promise((resolve) => setTimeout(resolve));
}
questions.forEach(([ask, ...args], i) => {
    args = args.map((arg) => (arg === "$other" ? other : arg));
    globalThis.onmessage({data: {id: i + 1, ask, args}});
});
await isDone;
fs.writeFileSync(1, JSON.stringify({answers: answers.map(plain), order, progress}));
