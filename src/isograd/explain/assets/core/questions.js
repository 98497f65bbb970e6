// What the page asks of a run. Each question is a function of the run, a turn and the page's
// arguments; it returns plain objects with typed arrays, or promises them.

import {compareWith} from "./compare.js";
import {readExpression} from "./expression.js";
import {PythonRandom} from "./mersenne.js";
import {drawSamples, logitsAt, probabilitiesOf} from "./sampling.js";
import {SITES} from "./model.js";
import {verifyRun} from "./verify.js";
import {wordsFor} from "./words.js";

/** How a token is written: 'a', or BOS. */
function letterOf(run, token) {
    return token === run.bos ? "BOS" : `'${run.header.chars[token]}'`;
}

// ---- a step ----

function step(run, turn, k) {
    const documents = run.documentsOf(k);
    return {
        documents,
        tokens: documents.map((text) => run.encode(text)),
        loss: run.arrays.losses[k - 1],
        lr: run.ratesOf(k).lr,
    };
}

const PARTS = [
    "before",
    "grad",
    "clipping",
    "clipped",
    "m",
    "v",
    "mHat",
    "vHat",
    "lr",
    "decayed",
    "change",
    "after",
];

/** What Adam did to one weight; after is decayed + change, to the bit. The root is the double nearest
 * to the exact one; it is libm's, if that is another one, only where this shows in `after`. */
function updateOf(run, k, {before, grad, clipping, m, v, after}) {
    const {lr, correction1, correction2} = run.ratesOf(k);
    const clipped = grad * clipping;
    const decayed = before * (1 - lr * run.options.weight_decay);
    const mHat = m / correction1;
    const vHat = v / correction2;
    const change = -((lr * mHat) / (run.libm.root(vHat) + run.options.eps));
    return {before, grad, clipping, clipped, m, v, mHat, vHat, lr, decayed, change, after};
}

/** The same of weight number `id`, from what run.stateOf(k) promises. */
function updateAt(run, k, {before, grad, clipping, m, v, after}, id) {
    const one = {before: before[id], grad: grad[id], m: m[id], v: v[id], after: after[id]};
    return updateOf(run, k, {...one, clipping});
}

async function weight(run, turn, name, row, column, k) {
    const id = run.weightId(name, row, column);
    return updateAt(run, k, await run.stateOf(k), id);
}

/** The weights that moved most in a step, the furthest first. */
async function moved(run, turn, k, count) {
    const state = await run.stateOf(k);
    const {before, after} = state;
    const changes = before.map((_, i) => updateAt(run, k, state, i).change);
    const ids = Array.from(changes.keys());
    ids.sort((a, b) => Math.abs(changes[b]) - Math.abs(changes[a]) || a - b);
    return ids.slice(0, count).map((id) => ({
        ...run.weightAt(id),
        before: before[id],
        after: after[id],
        change: changes[id],
    }));
}

async function matrix(run, turn, name, k) {
    const {rows, columns, start} = run.matrixOf(name);
    const {before, grad, after} = await run.stateOf(k);
    const part = (numbers) => numbers.slice(start, start + rows * columns);
    return {rows, columns, before: part(before), after: part(after), grad: part(grad)};
}

// ---- all steps ----

async function history(run, turn, name, row, column) {
    const id = run.weightId(name, row, column);
    const found = Object.fromEntries(PARTS.map((key) => [key, new Float64Array(run.steps)]));
    let before = run.arrays.weights[id];
    await run.everyStep(turn, (replay, k) => {
        const {gradients, clipping, m, v, weights} = replay;
        const one = {before, grad: gradients[id], clipping, m: m[id], v: v[id]};
        const update = updateOf(run, k, {...one, after: weights[id]});
        PARTS.forEach((key) => (found[key][k - 1] = update[key]));
        before = update.after;
    });
    return found;
}

async function reluShares(run, turn) {
    if (!run.openShares) {
        await run.everyStep(turn);
    }
    return run.openShares;
}

// ---- the graph of a step ----

function nodeOf(run, graph, id) {
    const {tape} = graph;
    const {length, weights} = tape;
    if (!Number.isInteger(id) || id < 0 || id >= length) {
        throw new Error(`The numbers of this step are 0 to ${length - 1}.`);
    }
    const site = SITES[tape.sites[id]];
    return {
        ...tape.node(id),
        site,
        what: id < weights ? weightWords(run, id) : wordsOf(run, graph, id),
    };
}

function wordsOf(run, graph, id) {
    return wordsFor(graph, run.config, (token) => letterOf(run, token), id);
}

function weightWords(run, id) {
    const {name, row, column} = run.weightAt(id);
    const isLetters = name === "wte" || name === "lm_head";
    const rowWords = isLetters ? `row ${row} (${letterOf(run, row)})` : `row ${row}`;
    return `weight of ${name}, ${rowWords}, column ${column}`;
}

async function node(run, turn, k, id) {
    return nodeOf(run, await run.graphOf(k), id);
}

/** The forward picture of document `d` of a step's batch. */
async function document(run, turn, k, d) {
    const {tape, documents} = await run.graphOf(k);
    if (!documents[d]) {
        throw new Error(`Step ${k} has the documents 0 to ${documents.length - 1}.`);
    }
    const {tokens, n, lossId, fields} = documents[d];
    const numbers = (ids, column) => Float64Array.from(ids, (id) => (id < 0 ? NaN : column[id]));
    const filled = Object.entries(fields).map(([name, {shape, ids}]) => [
        name,
        {shape, data: numbers(ids, tape.data), grad: numbers(ids, tape.grad), ids},
    ]);
    return {tokens, n, loss: tape.data[lossId], lossId, fields: Object.fromEntries(filled)};
}

/** A part of the list in which the sweep visits the nodes, from the loss on. */
async function order(run, turn, k, start, count) {
    const graph = await run.graphOf(k);
    const ids = graph.tape.order.subarray(start, start + count);
    return {total: graph.tape.order.length, nodes: Array.from(ids, (id) => nodeOf(run, graph, id))};
}

/** A node and what lies below it, the nearest first, `limit` nodes at most. */
async function subgraph(run, turn, k, id, limit) {
    const graph = await run.graphOf(k);
    const found = new Map([[id, nodeOf(run, graph, id)]]);
    for (const {children} of found.values()) {
        for (const child of children) {
            if (found.size < limit && !found.has(child.id)) {
                found.set(child.id, nodeOf(run, graph, child.id));
            }
        }
    }
    return {nodes: [...found.values()]};
}

// ---- the model after a step ----

/** What the model expects after `tokens`, with the weights after step k, which may be 0. */
async function predict(run, turn, tokens, temperature, k) {
    run.checkStep(k, 0);
    const n = tokens.length;
    if (n < 1 || n > run.config.block_size) {
        throw new Error(`The model reads 1 to ${run.config.block_size} tokens, BOS among them.`);
    }
    if (!tokens.every((token) => Number.isInteger(token) && token >= 0 && token <= run.bos)) {
        throw new Error(`Tokens are whole numbers from 0 to ${run.bos}.`);
    }
    const replay = await run.replayTo(k);
    tokens.forEach((token, t) => replay.forward(t, token));
    const logits = logitsAt(replay, n - 1);
    const layers = replay.layers.map((_, i) => [i, replay.attentionOf(i, n - 1)]);
    return {
        logits,
        probabilities: probabilitiesOf(run.libm, logits, temperature),
        attention: Object.fromEntries(layers),
    };
}

async function samples(run, turn) {
    return drawSamples(run, await run.replayTo(run.kept, turn), turn);
}

// ---- without the model ----

function draws(run, turn, seedText, n) {
    const random = new PythonRandom(seedText, run.libm);
    return Float64Array.from({length: n}, () => random.random());
}

function shuffled(run, turn, seedText, size, n) {
    const places = Int32Array.from({length: size}, (_, i) => i);
    new PythonRandom(seedText, run.libm).shuffle(places);
    return places.slice(0, n);
}

function tokenize(run, turn, text) {
    const unknown = Array.from(text).filter((char) => !run.ids.has(char));
    return {ids: Int32Array.from(run.encode(text)), unknown: [...new Set(unknown)]};
}

function expression(run, turn, text) {
    const tape = readExpression(text, run.libm);
    const nodes = Array.from({length: tape.length}, (_, id) => ({
        ...tape.node(id),
        site: "expression",
        what: tape.names.get(id) ?? null,
    }));
    return {nodes, order: tape.order};
}

export const QUESTIONS = {
    step,
    weight,
    moved,
    matrix,
    history,
    reluShares,
    node,
    document,
    order,
    subgraph,
    predict,
    samples,
    draws,
    shuffled,
    tokenize,
    expression,
    compareWith,
    verify: verifyRun,
    losses: (run) => run.arrays.losses.slice(),
    weightId: (run, turn, name, row, column) => run.weightId(name, row, column),
    weightAt: (run, turn, id) => run.weightAt(id),
};
