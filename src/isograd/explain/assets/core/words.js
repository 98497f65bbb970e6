// What a node is, in words: "layer 0, head 2, position 3: score of position 1".

import {OPERATIONS} from "./tape.js";
import {SITES} from "./model.js";

/** What the results of a stage are called; `row` is which of them. */
const RESULTS = {
    embedded: (row) => `feature ${row} of the embedded letter`,
    x0: (row) => `feature ${row} of the residual stream at its beginning`,
    norm1: (row) => `feature ${row} of the normed input of attention`,
    q: (row) => `feature ${row} of the query`,
    k: (row) => `feature ${row} of the key`,
    v: (row) => `feature ${row} of the value`,
    scores: (row) => `score of position ${row}`,
    attention: (row) => `attention to position ${row}`,
    heads: (row) => `feature ${row} of the head's output`,
    attn_out: (row) => `feature ${row} of attention's output`,
    x_mid: (row) => `feature ${row} of the residual stream after attention`,
    norm2: (row) => `feature ${row} of the normed input of the MLP`,
    hidden_pre: (row) => `hidden unit ${row} before relu`,
    hidden: (row) => `hidden unit ${row}`,
    mlp_out: (row) => `feature ${row} of the MLP's output`,
    x: (row) => `feature ${row} of the residual stream after the MLP`,
    logits: (row, letter) => `logit of ${letter(row)}`,
    probabilities: (row, letter) => `probability of ${letter(row)}`,
    losses: (row, letter) => `surprise at ${letter(row)}`,
};

/** What sums of products run over in each stage, and so how many there are; other stages have none. */
function termsOf(stage, config, position) {
    const c = config.n_embd;
    return {mlp_out: 4 * c, heads: position + 1, scores: c / config.n_head}[stage] ?? c;
}

function placeWords(scene, isBatch) {
    const words = [];
    if (isBatch && scene.document !== undefined) {
        words.push(`document ${scene.document}`);
    }
    for (const name of ["layer", "head", "position"]) {
        if (scene[name] !== undefined) {
            words.push(`${name} ${scene[name]}`);
        }
    }
    return words.length ? `${words.join(", ")}: ` : "";
}

/** A node of a sum of products: a product, the 0 it starts from, a part of the sum, or all of it. */
function dotWords(operation, column, terms, result) {
    if (operation === "constant") {
        return `the 0 that the sum for ${result} starts from`;
    }
    if (operation === "*") {
        return `product ${column} for ${result}`;
    }
    return column === terms - 1 ? result : `sum of products 0 to ${column} for ${result}`;
}

function normWords(site, operation, scene) {
    const vector = {
        x0: "the embedded letter",
        norm1: "attention's input",
        norm2: "the MLP's input",
    }[scene.stage];
    if (site === "rmsnorm.mean") {
        return operation === "constant" ? "1 / n, for the mean square" : `mean square of ${vector}`;
    }
    return {
        constant: "the 0.00001 that keeps the scale finite",
        "+": `mean square of ${vector} plus 0.00001`,
        "**": `scale of ${vector}`,
    }[operation];
}

function softmaxWords(site, operation, row, result, scene, letter) {
    const one = scene.stage === "attention" ? `position ${row}` : letter(row);
    if (site === "softmax.exp") {
        return {
            constant: "minus the largest of them, a constant",
            "+": `${one}, less the largest`,
            exp: `exp for ${one}`,
        }[operation];
    }
    if (site === "softmax.total") {
        return operation === "constant"
            ? "the 0 that the total of the exps starts from"
            : `total of the exps up to ${one}`;
    }
    return operation === "**" ? `1 / total, for ${one}` : result;
}

function lossWords(site, operation, row) {
    if (site === "document_loss.mean") {
        return {
            constant: "a constant of the mean over the positions",
            "+": "sum of the positions' losses",
            "*": `loss of the document, the mean over its positions`,
        }[operation];
    }
    return {
        constant: "a constant of the mean over the documents",
        "+": `sum of the losses of documents 0 to ${row}`,
        "*": "loss of the step",
    }[operation];
}

/** The words for node `id` of `graph`, the result of tapeOfStep; `letter` names a token. */
export function wordsFor(graph, config, letter, id) {
    const {tape} = graph,
        scene = graph.scenes[tape.scenes[id]];
    const operation = OPERATIONS[tape.operation[id]],
        site = SITES[tape.sites[id]];
    const row = tape.rows[id],
        column = tape.columns[id];
    const result = RESULTS[scene.stage]?.(row, letter);
    const terms = termsOf(scene.stage, config, scene.position);
    const kind = site.split(".")[0];
    const words = {
        dot: () => dotWords(operation, column, terms, kindOfDot(scene.stage, result)),
        rmsnorm: () => (site === "rmsnorm.result" ? result : normWords(site, operation, scene)),
        softmax: () => softmaxWords(site, operation, row, result, scene, letter),
        attention: () => (operation === "constant" ? "1 / root of the head's size" : result),
        add: () => result,
        relu: () => result,
        cross_entropy: () => crossEntropyWords(operation, result, row, letter),
        document_loss: () => lossWords(site, operation, row),
        batch_loss: () => lossWords(site, operation, row),
    }[kind]();
    return placeWords(scene, graph.documents.length > 1) + words;
}

/** A sum of products is the stage's result, but for squares in a norm and for undivided scores. */
function kindOfDot(stage, result) {
    if (stage === "x0" || stage === "norm1" || stage === "norm2") {
        return "the sum of squares";
    }
    return stage === "scores" ? `the undivided ${result}` : result;
}

function crossEntropyWords(operation, result, row, letter) {
    return {
        log: `log of the probability of ${letter(row)}`,
        constant: "the -1 that changes the sign",
        "*": result,
    }[operation];
}
