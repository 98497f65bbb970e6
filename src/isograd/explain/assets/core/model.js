// The model of reference/gpt.py on a tape, in the vector functions of reference/vector.py: the same
// nodes in the same order.
//
// Each node remembers its site, the line of the reference that made it, and its scene, the place in
// the model: document, layer, position and stage, with the number of a row and of a column there.
// words.js makes a phrase of that.

import {Tape, powerOf} from "./tape.js";

export const SITES = [
    "init_weights",
    "dot.mul",
    "dot.sum",
    "softmax.exp",
    "softmax.total",
    "softmax.divide",
    "rmsnorm.mean",
    "rmsnorm.scale",
    "rmsnorm.result",
    "attention.score",
    "add.sum",
    "relu.relu",
    "relu.square",
    "cross_entropy.log",
    "document_loss.mean",
    "batch_loss.mean",
    "expression",
];
const SITE = Object.fromEntries(SITES.map((name, site) => [name, site]));

/** Name, number of rows, row length and place of every weight matrix, in the order of drawing. */
export function weightShapes(config) {
    const v = config.vocab_size;
    const c = config.n_embd;
    const f = 4 * c;
    const shapes = [
        ["wte", v, c],
        ["wpe", config.block_size, c],
    ];
    if (!config.tie_weights) {
        shapes.push(["lm_head", v, c]);
    }
    for (let i = 0; i < config.n_layer; i++) {
        for (const name of ["wq", "wk", "wv", "wo"]) {
            shapes.push([`layer${i}.attn_${name}`, c, c]);
        }
        shapes.push([`layer${i}.mlp_fc1`, f, c], [`layer${i}.mlp_fc2`, c, f]);
    }
    let start = 0;
    return shapes.map(([name, rows, columns]) => {
        start += rows * columns;
        return {name, rows, columns, start: start - rows * columns};
    });
}

/** The matrix whose rows give the logits: one of its own, or the embedding's. */
export function headOf(config) {
    return config.tie_weights ? "wte" : "lm_head";
}

export function countWeights(config) {
    const last = weightShapes(config).at(-1);
    return last.start + last.rows * last.columns;
}

/** How many positions of a document with these tokens the model learns from. */
export function positionsOf(config, tokens) {
    return Math.min(config.block_size, tokens.length - 1);
}

/** Builds the loss of one batch. A vector is an array of node ids. */
class GraphBuilder {
    constructor(tape, config) {
        this.tape = tape;
        this.config = config;
        this.shapes = new Map(weightShapes(config).map((shape) => [shape.name, shape]));
        this.matrices = new Map();
        this.scenes = [null]; // which the weights have
        this.place = {};
    }

    /** From here on, nodes belong to this stage of the place where the builder is. */
    enter(stage, place = {}) {
        this.scenes.push({...this.place, ...place, stage});
        this.tape.scene = this.scenes.length - 1;
        this.tape.row = this.tape.column = -1;
    }

    dot(a, b) {
        const tape = this.tape;
        let total = -1;
        for (let i = 0; i < a.length; i++) {
            tape.column = i;
            tape.site = SITE["dot.mul"];
            const product = tape.multiply(a[i], b[i]);
            tape.site = SITE["dot.sum"];
            total = i === 0 ? tape.addNumber(product, 0) : tape.add(total, product);
        }
        return total;
    }

    /** The weights of a matrix, a row each. */
    matrix(name) {
        if (!this.matrices.has(name)) {
            const {start, rows, columns} = this.shapes.get(name);
            const ids = Int32Array.from({length: rows * columns}, (_, i) => start + i);
            const row = (_, i) => ids.subarray(i * columns, (i + 1) * columns);
            this.matrices.set(name, Array.from({length: rows}, row));
        }
        return this.matrices.get(name);
    }

    linear(stage, x, name) {
        const matrix = this.matrix(name);
        this.enter(stage);
        return this.eachRow(matrix.length, (row) => this.dot(matrix[row], x));
    }

    eachRow(n, make) {
        const ids = new Int32Array(n);
        for (let row = 0; row < n; row++) {
            this.tape.row = row;
            ids[row] = make(row);
        }
        return ids;
    }

    softmax(logits) {
        const tape = this.tape;
        let largest = tape.data[logits[0]];
        for (const logit of logits) {
            if (tape.data[logit] > largest) {
                largest = tape.data[logit];
            }
        }
        tape.site = SITE["softmax.exp"];
        const exps = this.eachRow(logits.length, (row) =>
            tape.exp(tape.addNumber(logits[row], -largest)),
        );
        tape.site = SITE["softmax.total"];
        let total = -1;
        this.eachRow(exps.length, (row) => {
            total = row === 0 ? tape.addNumber(exps[0], 0) : tape.add(total, exps[row]);
            return total;
        });
        tape.site = SITE["softmax.divide"];
        return this.eachRow(exps.length, (row) => tape.divide(exps[row], total));
    }

    rmsnorm(stage, x) {
        const tape = this.tape;
        this.enter(stage);
        const squares = this.dot(x, x);
        tape.column = -1;
        tape.site = SITE["rmsnorm.mean"];
        const meanSquare = tape.multiplyNumber(squares, powerOf(tape.libm, x.length, -1));
        tape.site = SITE["rmsnorm.scale"];
        const scale = tape.power(tape.addNumber(meanSquare, 1e-5), -0.5);
        tape.site = SITE["rmsnorm.result"];
        return this.eachRow(x.length, (row) => tape.multiply(x[row], scale));
    }

    add(stage, a, b) {
        this.enter(stage);
        this.tape.site = SITE["add.sum"];
        return this.eachRow(a.length, (row) => this.tape.add(a[row], b[row]));
    }

    relu(stage, x) {
        this.enter(stage);
        this.tape.site = SITE["relu.relu"];
        return this.eachRow(x.length, (row) => this.tape.relu(x[row]));
    }

    square(stage, x) {
        this.enter(stage);
        this.tape.site = SITE["relu.square"];
        return this.eachRow(x.length, (row) => this.tape.power(x[row], 2));
    }

    /** What stands between the MLP's matrices. */
    activation(set, x) {
        if (this.config.activation !== "relu2") {
            return set("hidden", this.relu("hidden", x));
        }
        const relu = set("relu", this.relu("relu", x));
        return set("hidden", this.square("hidden", relu));
    }

    /** One head's outputs from its features of q, keys and values. */
    attend(head, q, keys, values) {
        const tape = this.tape;
        const scores = [];
        const dots = [];
        this.enter("scores", {head});
        keys.forEach((key, row) => {
            tape.row = row;
            dots.push(this.dot(q, key));
            tape.column = -1;
            tape.site = SITE["attention.score"];
            const root = powerOf(tape.libm, q.length, 0.5);
            scores.push(tape.multiplyNumber(dots.at(-1), powerOf(tape.libm, root, -1)));
        });
        this.enter("attention", {head});
        const weights = this.softmax(scores);
        this.enter("heads", {head});
        const columns = q.map((_, j) => j);
        const out = this.eachRow(columns.length, (j) =>
            this.dot(
                weights,
                values.map((value) => value[j]),
            ),
        );
        return {dots, scores, weights, out};
    }

    attention(layer, fields, q, keys, values) {
        const nHead = this.config.n_head;
        const size = q.length / nHead;
        const t = keys.length - 1;
        const out = [];
        for (let head = 0; head < nHead; head++) {
            const part = (x) => x.subarray(head * size, (head + 1) * size);
            const found = this.attend(head, part(q), keys.map(part), values.map(part));
            fields.setHead(`layer${layer}.dots`, head, t, found.dots);
            fields.setHead(`layer${layer}.scores`, head, t, found.scores);
            fields.setHead(`layer${layer}.attention`, head, t, found.weights);
            out.push(...found.out);
        }
        return Int32Array.from(out);
    }

    layer(i, t, x, keys, values, fields) {
        const set = (name, ids) => fields.setRow(`layer${i}.${name}`, t, ids);
        const linear = (stage, input, name) => this.linear(stage, input, `layer${i}.${name}`);
        const norm1 = set("norm1", this.rmsnorm("norm1", x));
        const q = set("q", linear("q", norm1, "attn_wq"));
        keys.push(set("k", linear("k", norm1, "attn_wk")));
        values.push(set("v", linear("v", norm1, "attn_wv")));
        const heads = set("heads", this.attention(i, fields, q, keys, values));
        const attnOut = set("attn_out", linear("attn_out", heads, "attn_wo"));
        const xMid = set("x_mid", this.add("x_mid", attnOut, x));
        const norm2 = set("norm2", this.rmsnorm("norm2", xMid));
        const hiddenPre = set("hidden_pre", linear("hidden_pre", norm2, "mlp_fc1"));
        const hidden = this.activation(set, hiddenPre);
        const mlpOut = set("mlp_out", linear("mlp_out", hidden, "mlp_fc2"));
        return set("x", this.add("x", mlpOut, xMid));
    }

    /** The logits of what follows `token` at position `t`. */
    forward(token, t, keys, values, fields) {
        this.place = {document: this.place.document, position: t};
        const wte = fields.setRow("wte", t, this.matrix("wte")[token]);
        const wpe = fields.setRow("wpe", t, this.matrix("wpe")[t]);
        const embedded = fields.setRow("embedded", t, this.add("embedded", wte, wpe));
        let x = fields.setRow("x0", t, this.rmsnorm("x0", embedded));
        for (let i = 0; i < this.config.n_layer; i++) {
            this.place.layer = i;
            x = this.layer(i, t, x, keys[i], values[i], fields);
        }
        delete this.place.layer;
        return fields.setRow("logits", t, this.linear("logits", x, headOf(this.config)));
    }

    crossEntropy(t, logits, target, fields) {
        this.enter("probabilities");
        const probabilities = fields.setRow("probabilities", t, this.softmax(logits));
        this.enter("losses");
        this.tape.site = SITE["cross_entropy.log"];
        this.tape.row = target;
        const loss = this.tape.negative(this.tape.log(probabilities[target]));
        fields.setRow("losses", t, [loss]);
        return loss;
    }

    documentLoss(index, tokens) {
        const config = this.config;
        const n = positionsOf(config, tokens);
        const losses = [];
        const fields = new Fields(config, n);
        const cache = () => Array.from({length: config.n_layer}, () => []);
        const keys = cache();
        const values = cache();
        this.place = {document: index};
        for (let t = 0; t < n; t++) {
            const logits = this.forward(tokens[t], t, keys, values, fields);
            losses.push(this.crossEntropy(t, logits, tokens[t + 1], fields));
        }
        this.place = {document: index};
        this.enter("loss");
        const loss = this.mean(SITE["document_loss.mean"], losses);
        return {tokens, n, lossId: loss, fields: fields.found};
    }

    mean(site, losses) {
        this.tape.site = site;
        const total = this.tape.sum(losses);
        return this.tape.multiplyNumber(total, 1 / losses.length);
    }

    /** Python's sum of a generator: each document's nodes come just before their addition. */
    batchLoss(batch) {
        if (batch.length === 1) {
            const only = this.documentLoss(0, batch[0]);
            return {root: only.lossId, documents: [only]};
        }
        const documents = [];
        let total = -1;
        const scene = {stage: "batch"};
        batch.forEach((tokens, index) => {
            const found = this.documentLoss(index, tokens);
            documents.push(found);
            this.place = {};
            this.enter("batch", scene);
            this.tape.site = SITE["batch_loss.mean"];
            this.tape.row = index;
            total =
                index === 0
                    ? this.tape.addNumber(found.lossId, 0)
                    : this.tape.add(total, found.lossId);
        });
        this.tape.row = -1;
        return {root: this.tape.multiplyNumber(total, 1 / batch.length), documents};
    }
}

/** The ids of the numbers of a document's forward pass: by name, {shape, ids}, -1 where none is. */
class Fields {
    constructor(config, n) {
        const c = config.n_embd;
        const f = 4 * c;
        const h = config.n_head;
        const v = config.vocab_size;
        this.found = {};
        const make = (shape, names, prefix = "") => {
            const size = shape.reduce((a, b) => a * b);
            for (const name of names) {
                this.found[prefix + name] = {shape, ids: new Int32Array(size).fill(-1)};
            }
        };
        make([n, c], ["wte", "wpe", "embedded", "x0"]);
        for (let i = 0; i < config.n_layer; i++) {
            const prefix = `layer${i}.`;
            make([n, c], ["norm1", "q", "k", "v"], prefix);
            make([h, n, n], ["dots", "scores", "attention"], prefix);
            make([n, c], ["heads", "attn_out", "x_mid", "norm2"], prefix);
            const squared = config.activation === "relu2";
            make([n, f], ["hidden_pre", ...(squared ? ["relu"] : []), "hidden"], prefix);
            make([n, c], ["mlp_out", "x"], prefix);
        }
        make([n, v], ["logits", "probabilities"]);
        make([n], ["losses"]);
    }

    setRow(name, t, ids) {
        this.found[name].ids.set(ids, t * ids.length);
        return ids;
    }

    setHead(name, head, t, ids) {
        const {shape, ids: all} = this.found[name];
        all.set(ids, (head * shape[1] + t) * shape[2]);
    }
}

/** The tape of one step, swept backward: {tape, scenes, root, documents: [{tokens, n, lossId,
 * fields}]}. `batch` holds the documents' tokens. */
export function tapeOfStep(config, libm, weights, batch) {
    const tape = new Tape(libm, weights, 1 << 16);
    const builder = new GraphBuilder(tape, config);
    const {root, documents} = builder.batchLoss(batch);
    tape.backward(root);
    return {tape, scenes: builder.scenes, root, documents};
}
