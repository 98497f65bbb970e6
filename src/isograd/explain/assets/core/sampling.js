// What the model makes of its last logits: probabilities, and the run's own samples, drawn again.

import {PythonRandom} from "./mersenne.js";

/** The run's generator as it was when training began, and the weights that it drew. */
export function drawWeights(run) {
    const random = new PythonRandom(run.options.seed, run.libm);
    const order = trainingPlaces(run.header.data);
    random.shuffle(order);
    const weights = run.arrays.weights.map(() => random.gauss(0, run.options.init_std));
    return {random, order, weights};
}

/** Where the documents to learn from stand in the file: those that text.py's hold_out leaves. */
function trainingPlaces({documents: n, training}) {
    const held = n - training;
    const before = (i) => Math.floor((i * held) / n);
    return Int32Array.from({length: n}, (_, i) => i).filter((i) => before(i + 1) === before(i));
}

/** softmax of logits / temperature; at 0, certainty of the first of the likeliest tokens. */
export function probabilitiesOf(libm, logits, temperature) {
    if (temperature === 0) {
        // Where one is NaN, this is what Python's max and index make of it.
        const likeliest = logits.reduce((best, x, i) => (x > logits[best] ? i : best), 0);
        return Float64Array.from(logits, (_, i) => (i === likeliest ? 1 : 0));
    }
    const inverseTemperature = libm.inverse(temperature);
    const divided = Float64Array.from(logits, (logit) => logit * inverseTemperature);
    const largest = divided.reduce((best, x) => (x > best ? x : best));
    const exps = divided.map((x) => libm.exp(x - largest));
    const total = exps.reduce((sum, x) => sum + x, 0);
    libm.inverseSquare(total); // a local gradient, which the reference computes here, too
    const inverse = libm.inverse(total);
    return exps.map((x) => x * inverse);
}

/** The logits after the position `t` of a replay. */
export function logitsAt(replay, t) {
    const size = replay.config.vocab_size;
    return replay.logits.slice(t * size, (t + 1) * size);
}

/** One document from `replay`: {text, steps: [{token, logits, probabilities, cumulated, draw,
 * total}]}, where nothing is drawn at temperature 0. */
function drawDocument(run, replay, random) {
    const steps = [];
    let token = run.bos;
    for (let t = 0; t < run.config.block_size; t++) {
        replay.forward(t, token);
        replay.callsOfLocalGradients(t);
        const logits = logitsAt(replay, t);
        const probabilities = probabilitiesOf(run.libm, logits, run.options.temperature);
        const drawn =
            run.options.temperature === 0
                ? {index: probabilities.indexOf(1), draw: null, total: null, cumulated: null}
                : random.choicesTrace(probabilities);
        const {index, draw, total, cumulated} = drawn;
        token = index;
        steps.push({token, logits, probabilities, cumulated, draw, total});
        if (token === run.bos) {
            break;
        }
    }
    const letters = steps.map((step) => run.header.chars[step.token] ?? "");
    return {text: letters.join(""), steps};
}

/** The run's samples, from a replay that stands at its result. */
export async function drawSamples(run, replay, turn) {
    const {random} = drawWeights(run);
    const samples = [];
    for (let i = 0; i < run.options.samples; i++) {
        samples.push(drawDocument(run, replay, random));
        await turn.breathe(i + 1, run.options.samples);
    }
    return samples;
}
