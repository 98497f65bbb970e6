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
    relu: (row) => `hidden unit ${row} after relu, before its square`,
    hidden: (row) => `hidden unit ${row}`,
    mlp_out: (row) => `feature ${row} of the MLP's output`,
    x: (row) => `feature ${row} of the residual stream after the MLP`,
    logits: (row, letter) => `logit of ${letter(row)}`,
    probabilities: (row, letter) => `probability of ${letter(row)}`,
    losses: (row, letter) => `surprise at ${letter(row)}`,
};

/** What each rmsnorm norms. */
const NORMED = {x0: "the embedded letter", norm1: "attention's input", norm2: "the MLP's input"};

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
function dotWords(operation, column, terms, [whole, term]) {
    if (operation === "constant") {
        return `the 0 that the sum for ${whole} starts from`;
    }
    if (operation === "*") {
        return `${term} ${column} for ${whole}`;
    }
    if (column === terms - 1) {
        return whole;
    }
    return column === 0
        ? `the first ${term} for ${whole}, added to 0`
        : `sum of the first ${column + 1} ${term}s for ${whole}`;
}

/** What a sum of products is, and what its terms are. */
function dotOf(stage, result) {
    if (Object.hasOwn(NORMED, stage)) {
        return [`the squares' sum of ${NORMED[stage]}`, "square"];
    }
    return [stage === "scores" ? `the undivided ${result}` : result, "product"];
}

function normWords(site, operation, vector) {
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
            constant: `minus the largest ${scene.stage === "attention" ? "score" : "logit"}, a constant`,
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

/** A mean of losses, of positions or of documents; `x` is the node's number. */
function meanWords(site, operation, row, x) {
    const ofDocument = site === "document_loss.mean";
    const parts = ofDocument ? "positions" : "documents";
    if (operation === "constant") {
        return x === 0
            ? `the 0 that the sum of the ${parts}' losses starts from`
            : `1 / n, for the mean over the ${parts}`;
    }
    if (operation === "*") {
        return ofDocument
            ? "loss of the document, the mean over its positions"
            : "loss of the step";
    }
    return ofDocument
        ? "sum of the positions' losses"
        : `sum of the losses of documents 0 to ${row}`;
}

/** The words for node `id` of `graph`, the result of tapeOfStep; `letter` names a token. */
export function wordsFor(graph, config, letter, id) {
    const {tape} = graph;
    const scene = graph.scenes[tape.scenes[id]];
    const operation = OPERATIONS[tape.operation[id]];
    const site = SITES[tape.sites[id]];
    const row = tape.rows[id];
    const column = tape.columns[id];
    const result = RESULTS[scene.stage]?.(row, letter);
    const terms = termsOf(scene.stage, config, scene.position);
    const kind = site.split(".")[0];
    const words = {
        dot: () => dotWords(operation, column, terms, dotOf(scene.stage, result)),
        rmsnorm: () =>
            site === "rmsnorm.result" ? result : normWords(site, operation, NORMED[scene.stage]),
        softmax: () => softmaxWords(site, operation, row, result, scene, letter),
        attention: () => (operation === "constant" ? "1 / root of the head's size" : result),
        add: () => result,
        relu: () => result,
        cross_entropy: () => crossEntropyWords(operation, result, row, letter),
        document_loss: () => meanWords(site, operation, row, tape.data[id]),
        batch_loss: () => meanWords(site, operation, row, tape.data[id]),
    }[kind]();
    return placeWords(scene, graph.documents.length > 1) + words;
}

function crossEntropyWords(operation, result, row, letter) {
    return {
        log: `log of the probability of ${letter(row)}`,
        constant: "the -1 that changes the sign",
        "*": result,
    }[operation];
}
