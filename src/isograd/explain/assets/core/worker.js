// The worker's side of the page's questions: {id, ask, args} comes in; {id, answer}, {id, error} or
// {id, progress} goes out. The first question is "open"; "abandon" ends another one.

import {decodePayload, readPayload} from "./payload.js";
import {QUESTIONS} from "./questions.js";
import {Run, Turn} from "./run.js";
import {sha256} from "./sha256.js";

const MOST_UNASKED = 3e7; // updates of a weight: a second or two

const opened = {run: null};
const turns = new Map(); // of the questions that are not answered yet, by id

async function open(base64, digest) {
    const bytes = await decodePayload(base64);
    const found = Array.from(sha256(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const run = new Run(readPayload(bytes), found === digest);
    opened.run = run;
    warmUp(run);
    const {losses, text_at: textAt, order} = run.arrays;
    const {validation_steps: steps = new Int32Array(), validation_losses: judged} = run.arrays;
    const validation = {steps: steps.slice(), losses: judged?.slice() ?? new Float64Array()};
    const copies = {losses: losses.slice(), textAt: textAt.slice(), order: order.slice(), validation};
    return {header: run.header, intact: run.intact, ...copies};
}

/** A turn that goes on only while nobody waits for an answer. */
class IdleTurn extends Turn {
    async breathe(done, total) {
        await super.breathe(done, total);
        while (turns.size > 0) {
            await new Promise((resolve) => setTimeout(resolve));
        }
    }
}

/** Replays a run of usual size unasked, once: then every step is a few steps from a snapshot. */
async function warmUp(run) {
    if (run.steps * run.arrays.weights.length > MOST_UNASKED) {
        return;
    }
    try {
        await new Promise((resolve) => setTimeout(resolve));
        await run.everyStep(new IdleTurn());
    } catch {
        // A run that cannot be replayed: whoever asks for it is told so.
    }
}

function abandon(id) {
    const turn = turns.get(id);
    if (turn) {
        turn.isAbandoned = true;
    }
    return Boolean(turn);
}

async function answerTo(turn, ask, args) {
    if (ask === "open") {
        return open(...args);
    }
    if (ask === "abandon") {
        return abandon(...args);
    }
    if (!Object.hasOwn(QUESTIONS, ask)) {
        throw new Error(`There is no question ${JSON.stringify(ask)}.`);
    }
    if (!opened.run) {
        throw new Error("The run is not open yet.");
    }
    return QUESTIONS[ask](opened.run, turn, ...args);
}

globalThis.onmessage = async ({data: {id, ask, args = []}}) => {
    const turn = new Turn((progress) => globalThis.postMessage({id, progress}));
    turns.set(id, turn);
    try {
        globalThis.postMessage({id, answer: await answerTo(turn, ask, args)});
    } catch (error) {
        globalThis.postMessage({id, error: error.message});
    } finally {
        turns.delete(id);
    }
};
