// Two runs side by side: their options, their losses, and the first number that differs.

import {decodePayload, readPayload} from "./payload.js";
import {Run} from "./run.js";
import {drawSamples} from "./sampling.js";
import {firstDifference, weightName} from "./verify.js";

/** [name, mine, theirs] of all that the headers say of how the runs were made. */
function optionsOf(mine, theirs) {
    const facts = ({header}) => ({
        data: header.data.name,
        documents: header.data.documents,
        "data's SHA-256": header.data.sha256,
        ...header.config,
        ...header.options,
        python: header.python,
        libm: header.libm,
        machine: header.machine,
        isograd: header.isograd,
    });
    const [a, b] = [facts(mine), facts(theirs)];
    return Object.keys(a).map((name) => [name, a[name], b[name]]);
}

/** Where the models themselves differ, and so no weights can be compared. */
function differentModels(mine, theirs) {
    const name = Object.keys(mine.config).find((key) => mine.config[key] !== theirs.config[key]);
    if (name) {
        return {
            step: 0,
            what: "size",
            place: name,
            mine: mine.config[name],
            theirs: theirs.config[name],
        };
    }
    const i = mine.header.chars.findIndex((char, id) => char !== theirs.header.chars[id]);
    if (i >= 0) {
        const [a, b] = [mine, theirs].map((run) => run.header.chars[i]);
        return {step: 0, what: "letter", place: i, mine: a, theirs: b};
    }
    return null;
}

function differentWeights(run, step, mine, theirs) {
    const i = firstDifference(mine, theirs);
    if (i < 0) {
        return null;
    }
    const place = run.weightAt(i);
    return {
        step,
        what: "weight",
        place: weightName(place),
        ...place,
        mine: mine[i],
        theirs: theirs[i],
    };
}

function differentDocuments(step, mine, theirs) {
    const n = Math.max(mine.length, theirs.length);
    for (let i = 0; i < n; i++) {
        if (mine[i] !== theirs[i]) {
            return {
                step,
                what: "document",
                place: i,
                mine: mine[i] ?? null,
                theirs: theirs[i] ?? null,
            };
        }
    }
    return null;
}

function sameRecord(mine, theirs, k) {
    const digest = (run) => run.arrays.digests.subarray(8 * (k - 1), 8 * k);
    return (
        mine.header.digest_every === 1 &&
        theirs.header.digest_every === 1 &&
        firstDifference(digest(mine), digest(theirs)) < 0 &&
        Object.is(mine.arrays.losses[k - 1], theirs.arrays.losses[k - 1])
    );
}

/** What differs in step k, or null: documents, loss or weights, in the order in which they come. */
async function differentStep(mine, theirs, k, turn) {
    if (k > mine.steps || k > theirs.steps) {
        const there = (run) => run.steps;
        return {step: k, what: "steps", place: null, mine: there(mine), theirs: there(theirs)};
    }
    const documents = differentDocuments(k, mine.documentsOf(k), theirs.documentsOf(k));
    if (documents || sameRecord(mine, theirs, k)) {
        return documents;
    }
    const [a, b] = [mine.arrays.losses[k - 1], theirs.arrays.losses[k - 1]];
    if (!Object.is(a, b)) {
        return {step: k, what: "loss", place: null, mine: a, theirs: b};
    }
    const replays = [await mine.replayTo(k, turn), await theirs.replayTo(k, turn)];
    return differentWeights(mine, k, ...replays.map((replay) => replay.weights));
}

async function differentSamples(mine, theirs, turn) {
    const draw = async (run) => drawSamples(run, await run.replayTo(run.kept, turn), turn);
    const [a, b] = (await Promise.all([draw(mine), draw(theirs)])).map((samples) =>
        samples.map(({text}) => text),
    );
    const found = differentDocuments(mine.steps, a, b);
    return found && {...found, what: "sample"};
}

async function firstDifferenceOf(mine, theirs, turn) {
    const before =
        differentModels(mine, theirs) ??
        differentWeights(mine, 0, mine.arrays.weights, theirs.arrays.weights);
    if (before) {
        return before;
    }
    const steps = Math.max(mine.steps, theirs.steps);
    for (let k = 1; k <= steps; k++) {
        const found = await differentStep(mine, theirs, k, turn);
        if (found) {
            return found;
        }
        await turn.breathe(k, steps);
    }
    return differentSamples(mine, theirs, turn);
}

/** {options: [[name, mine, theirs]], losses: theirs, first: null | {step, what, place, mine,
 * theirs}}. Step 0 is what there was before the first step. */
export async function compareWith(mine, turn, base64) {
    const theirs = new Run(readPayload(await decodePayload(base64)));
    return {
        options: optionsOf(mine, theirs),
        losses: theirs.arrays.losses.slice(),
        first: await firstDifferenceOf(mine, theirs, turn),
    };
}
