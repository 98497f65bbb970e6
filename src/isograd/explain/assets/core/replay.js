// The same numbers as tape.js and model.js give, without a graph: forward, backward and Adam in dense
// loops. csrc/gpt/ORDER.md derives the order of every sum; the loops below keep to it.
//
// T positions, C = n_embd, H heads, D = C / H, F = 4 C, V vocabulary; dx is the gradient of x.

import {Norm, exponentials, linearBackward, linearForward, rowBackward} from "./kernels.js";
import {countWeights, headOf, positionsOf, weightShapes} from "./model.js";

/** The numbers of one layer at all positions. */
class Layer {
    constructor(config, libm) {
        const T = config.block_size;
        const C = config.n_embd;
        const H = config.n_head;
        const numbers = (n) => new Float64Array(n);
        this.norm1 = new Norm(T, C, libm);
        this.norm2 = new Norm(T, C, libm);
        [this.q, this.k, this.v, this.heads] = [0, 0, 0, 0].map(() => numbers(T * C));
        [this.attnOut, this.xMid, this.mlpOut, this.x] = [0, 0, 0, 0].map(() => numbers(T * C));
        [this.hiddenPre, this.relu] = [0, 0].map(() => numbers(T * 4 * C));
        this.hidden = config.activation === "relu2" ? numbers(T * 4 * C) : this.relu;
        this.seen = []; // for each position so far {exps, attention}: (H, t + 1)
        [this.inverse, this.total] = [0, 0].map(() => numbers(H * T)); // (H, T)
        [this.dq, this.dk, this.dv] = [0, 0, 0].map(() => numbers(T * C));
    }

    /** Room for what position `t` sees: made when a document gets that far, as few may. */
    reserve(t, heads) {
        const n = heads * (t + 1);
        this.seen[t] = {exps: new Float64Array(n), attention: new Float64Array(n)};
    }
}

export class Replay {
    /** A model of the sizes `config`; `options` are those of Adam, as in the payload's header. */
    constructor(config, options, libm) {
        const T = config.block_size;
        const C = config.n_embd;
        const V = config.vocab_size;
        const P = countWeights(config);
        this.config = config;
        this.options = options;
        this.libm = libm;
        this.start = Object.fromEntries(weightShapes(config).map((s) => [s.name, s.start]));
        this.head = this.start[headOf(config)];
        this.places = Array.from({length: config.n_layer}, (_, i) =>
            Object.fromEntries(
                ["attn_wq", "attn_wk", "attn_wv", "attn_wo", "mlp_fc1", "mlp_fc2"].map((name) => [
                    name,
                    this.start[`layer${i}.${name}`],
                ]),
            ),
        );
        [this.weights, this.gradients, this.m, this.v] = [0, 0, 0, 0].map(
            () => new Float64Array(P),
        );
        this.steps = 0; // done
        this.headSize = C / config.n_head;
        this.scoreScale = libm.inverse(libm.root(this.headSize));
        this.embedded = new Float64Array(T * C);
        this.norm0 = new Norm(T, C, libm);
        this.layers = Array.from({length: config.n_layer}, () => new Layer(config, libm));
        [this.logits, this.exps] = [0, 0].map(() => new Float64Array(T * V));
        [this.totals, this.inverses, this.losses] = [0, 0, 0].map(() => new Float64Array(T));
        [this.dx, this.dIn, this.dHeads] = [0, 0, 0].map(() => new Float64Array(C));
        this.dHidden = new Float64Array(4 * C);
        this.dScores = new Float64Array(T);
        this.clipping = 1; // what the gradients of the last step were multiplied with
        this.open = this.units = 0; // hidden units of the last step: how many were open, of how many
    }

    /** Go on from the state after some step: {weights, m, v, steps}. */
    load({weights, m, v, steps}) {
        this.weights.set(weights);
        this.m.set(m);
        this.v.set(v);
        this.steps = steps;
    }

    /** Where it stands now: a copy for `load`. */
    state() {
        const [weights, m, v] = [this.weights, this.m, this.v].map((numbers) => numbers.slice());
        return {weights, m, v, steps: this.steps};
    }

    // ---- forward ----

    /** What position `t` computes from its token, given those before it. */
    forward(t, token) {
        const {weights, embedded, start, config} = this;
        const C = config.n_embd;
        const wte = start.wte + token * C;
        const wpe = start.wpe + t * C;
        for (let i = 0; i < C; i++) {
            embedded[t * C + i] = weights[wte + i] + weights[wpe + i];
        }
        this.norm0.forward(t, embedded);
        let x = this.norm0.y;
        for (let i = 0; i < config.n_layer; i++) {
            x = this.layerForward(this.layers[i], this.places[i], t, x);
        }
        linearForward(
            weights,
            this.head,
            config.vocab_size,
            C,
            x,
            t * C,
            this.logits,
            t * config.vocab_size,
        );
    }

    layerForward(layer, place, t, x) {
        const w = this.weights;
        const C = this.config.n_embd;
        const at = t * C;
        layer.norm1.forward(t, x);
        const y1 = layer.norm1.y;
        linearForward(w, place.attn_wq, C, C, y1, at, layer.q, at);
        linearForward(w, place.attn_wk, C, C, y1, at, layer.k, at);
        linearForward(w, place.attn_wv, C, C, y1, at, layer.v, at);
        if (layer.seen.length === t) {
            layer.reserve(t, this.config.n_head);
        }
        for (let head = 0; head < this.config.n_head; head++) {
            this.headForward(layer, head, t);
        }
        linearForward(w, place.attn_wo, C, C, layer.heads, at, layer.attnOut, at);
        for (let i = at; i < at + C; i++) {
            layer.xMid[i] = layer.attnOut[i] + x[i];
        }
        layer.norm2.forward(t, layer.xMid);
        linearForward(w, place.mlp_fc1, 4 * C, C, layer.norm2.y, at, layer.hiddenPre, 4 * at);
        this.activate(layer, 4 * at, 4 * (at + C));
        linearForward(w, place.mlp_fc2, C, 4 * C, layer.hidden, 4 * at, layer.mlpOut, at);
        for (let i = at; i < at + C; i++) {
            layer.x[i] = layer.mlpOut[i] + layer.xMid[i];
        }
        return layer.x;
    }

    /** Hidden units of some places: relu, and its square in a run with relu2. */
    activate({hiddenPre, relu, hidden}, from, to) {
        for (let i = from; i < to; i++) {
            relu[i] = hiddenPre[i] > 0 ? hiddenPre[i] : 0;
        }
        for (let i = from; hidden !== relu && i < to; i++) {
            hidden[i] = this.libm.square(relu[i]);
        }
    }

    headForward(layer, head, t) {
        const {q, k, v, heads} = layer;
        const {exps, attention} = layer.seen[t];
        const T = this.config.block_size;
        const C = this.config.n_embd;
        const D = this.headSize;
        const from = head * D;
        const n = t + 1;
        const row = head * n;
        const scores = attention; // until the weights take their place
        for (let u = 0; u < n; u++) {
            let dot = 0;
            for (let j = from; j < from + D; j++) {
                dot += q[t * C + j] * k[u * C + j];
            }
            scores[row + u] = dot * this.scoreScale;
        }
        const total = exponentials(this.libm, scores, row, n, exps);
        const inverse = this.libm.inverse(total);
        layer.total[head * T + t] = total;
        layer.inverse[head * T + t] = inverse;
        for (let u = 0; u < n; u++) {
            attention[row + u] = exps[row + u] * inverse;
        }
        for (let j = from; j < from + D; j++) {
            let sum = 0;
            for (let u = 0; u < n; u++) {
                sum += attention[row + u] * v[u * C + j];
            }
            heads[t * C + j] = sum;
        }
    }

    /** The attention of position `t` in one layer: (H, t + 1). */
    attentionOf(layer, t) {
        return this.layers[layer].seen[t].attention.slice();
    }

    /** The cross entropy of position `t`'s logits against `target`. */
    crossEntropy(t, target) {
        const V = this.config.vocab_size;
        const total = exponentials(this.libm, this.logits, t * V, V, this.exps);
        const inverse = this.libm.inverse(total);
        this.totals[t] = total;
        this.inverses[t] = inverse;
        return this.libm.log(this.exps[t * V + target] * inverse) * -1;
    }

    documentLoss(tokens) {
        const n = positionsOf(this.config, tokens);
        let sum = 0;
        for (let t = 0; t < n; t++) {
            this.forward(t, tokens[t]);
            this.losses[t] = this.crossEntropy(t, tokens[t + 1]);
            sum += this.losses[t];
        }
        return sum * (1 / n);
    }

    /** Nothing, but for the calls of libm with which the reference finds local gradients at position
     * `t`, be there a backward pass or not: calls that were recorded are all to be made. */
    callsOfLocalGradients(t) {
        this.norm0.localGradient(t);
        for (const layer of this.layers) {
            layer.norm1.localGradient(t);
            layer.norm2.localGradient(t);
            for (let head = 0; head < this.config.n_head; head++) {
                this.libm.inverseSquare(layer.total[head * this.config.block_size + t]);
            }
        }
    }

    // ---- backward ----

    /** Adds to `gradients` what the document of the last forward pass hands on of dLoss. */
    documentBackward(tokens, dLoss) {
        const n = positionsOf(this.config, tokens);
        const dPosition = (1 / n) * dLoss;
        for (const {dk, dv} of this.layers) {
            dk.fill(0);
            dv.fill(0);
        }
        for (let t = n - 1; t >= 0; t--) {
            this.positionBackward(t, tokens[t], tokens[t + 1], dPosition);
        }
    }

    positionBackward(t, token, target, dLoss) {
        const {config, dx, gradients, start} = this;
        const C = config.n_embd;
        this.logitsBackward(t, target, dLoss);
        for (let i = config.n_layer - 1; i >= 0; i--) {
            const below = i > 0 ? this.layers[i - 1].x : this.norm0.y;
            this.layerBackward(this.layers[i], this.places[i], t, below);
        }
        const {dIn} = this;
        dIn.fill(0);
        this.norm0.backward(t, this.embedded, dx, dIn);
        const wte = start.wte + token * C;
        const wpe = start.wpe + t * C;
        for (let i = 0; i < C; i++) {
            gradients[wte + i] += dIn[i];
            gradients[wpe + i] += dIn[i];
        }
    }

    /** From the loss of position `t` to dx, the gradient of the last x: the target's row last. */
    logitsBackward(t, target, dLoss) {
        const {libm, exps, dx, weights, gradients} = this;
        const V = this.config.vocab_size;
        const C = this.config.n_embd;
        const row = t * V;
        const inverse = this.inverses[t];
        const probability = exps[row + target] * inverse;
        const dProbability = (1 / probability) * (-1 * dLoss);
        const dTotal =
            -1 * libm.inverseSquare(this.totals[t]) * (exps[row + target] * dProbability);
        const x = this.layers.length ? this.layers.at(-1).x : this.norm0.y;
        dx.fill(0);
        for (let o = V - 1; o >= 0; o--) {
            if (o !== target) {
                rowBackward(
                    weights,
                    gradients,
                    this.head,
                    o,
                    C,
                    x,
                    t * C,
                    exps[row + o] * dTotal,
                    dx,
                );
            }
        }
        rowBackward(
            weights,
            gradients,
            this.head,
            target,
            C,
            x,
            t * C,
            exps[row + target] * (inverse * dProbability + dTotal),
            dx,
        );
    }

    /** dx holds the gradient of the layer's result, and then that of its input `x`. */
    layerBackward(layer, place, t, x) {
        const {dx, dIn, dHeads, dHidden, weights: w, gradients: dw} = this;
        const C = this.config.n_embd;
        const at = t * C;
        dHidden.fill(0);
        linearBackward(w, dw, place.mlp_fc2, C, 4 * C, layer.hidden, 4 * at, dx, 0, dHidden);
        this.activationBackward(layer, 4 * at);
        dIn.fill(0);
        linearBackward(w, dw, place.mlp_fc1, 4 * C, C, layer.norm2.y, at, dHidden, 0, dIn);
        layer.norm2.backward(t, layer.xMid, dIn, dx);
        dHeads.fill(0);
        linearBackward(w, dw, place.attn_wo, C, C, layer.heads, at, dx, 0, dHeads);
        dIn.fill(0);
        for (let head = this.config.n_head - 1; head >= 0; head--) {
            this.headBackward(layer, head, t);
            this.headInputs(layer, place, head, at, dIn);
        }
        layer.norm1.backward(t, x, dIn, dx);
    }

    /** dHidden holds the gradient of the hidden units from `at` on, and then that of their input. */
    activationBackward({hiddenPre, relu, hidden}, at) {
        const {dHidden} = this;
        const n = dHidden.length;
        for (let i = 0; hidden !== relu && i < n; i++) {
            dHidden[i] *= 2 * relu[at + i];
        }
        for (let i = 0; i < n; i++) {
            if (hiddenPre[at + i] > 0) {
                this.open++;
            } else {
                dHidden[i] *= 0;
            }
        }
        this.units += n;
    }

    /** From dHeads to dq of this position, and shares of dk and dv of this one and those before. */
    headBackward(layer, head, t) {
        const {q, k, v, dq, dk, dv} = layer;
        const {exps, attention} = layer.seen[t];
        const {dHeads, dScores} = this;
        const T = this.config.block_size;
        const C = this.config.n_embd;
        const D = this.headSize;
        const from = head * D;
        const to = from + D;
        const row = head * (t + 1);
        const inverse = layer.inverse[head * T + t];
        const local = -1 * this.libm.inverseSquare(layer.total[head * T + t]);
        let dTotal = 0;
        for (let u = t; u >= 0; u--) {
            let dWeight = 0;
            for (let j = to - 1; j >= from; j--) {
                dWeight += v[u * C + j] * dHeads[j];
                dv[u * C + j] += attention[row + u] * dHeads[j];
            }
            dTotal += local * (exps[row + u] * dWeight);
            dScores[u] = inverse * dWeight;
        }
        dq.fill(0, t * C + from, t * C + to);
        for (let u = t; u >= 0; u--) {
            const dScore = exps[row + u] * (dScores[u] + dTotal);
            const dDot = this.scoreScale * dScore;
            for (let j = from; j < to; j++) {
                dq[t * C + j] += k[u * C + j] * dDot;
                dk[u * C + j] += q[t * C + j] * dDot;
            }
        }
    }

    /** A head's rows of v, then of k, then of q hand on to the normed input. */
    headInputs(layer, place, head, at, dIn) {
        const C = this.config.n_embd;
        const D = this.headSize;
        const from = at + head * D;
        const {weights: w, gradients: dw} = this;
        const x = layer.norm1.y;
        const skip = head * D * C;
        linearBackward(w, dw, place.attn_wv + skip, D, C, x, at, layer.dv, from, dIn);
        linearBackward(w, dw, place.attn_wk + skip, D, C, x, at, layer.dk, from, dIn);
        linearBackward(w, dw, place.attn_wq + skip, D, C, x, at, layer.dq, from, dIn);
    }

    // ---- a step ----

    /** Loss and gradients of a batch of documents' tokens. Documents go from the last to the first,
     * as their gradients do. */
    batchLoss(batch) {
        const {gradients} = this;
        const size = batch.length;
        const losses = new Float64Array(size);
        gradients.fill(0);
        this.open = this.units = 0;
        for (let b = size - 1; b >= 0; b--) {
            losses[b] = this.documentLoss(batch[b]);
            this.documentBackward(batch[b], 1 / size);
        }
        return size === 1 ? losses[0] : losses.reduce((sum, loss) => sum + loss, 0) * (1 / size);
    }

    /** The factor of train.py's Adam.clip_gradients, 1 where it leaves them as they are. */
    clippingOf(norm) {
        if (norm === null) {
            return 1;
        }
        const length = Math.sqrt(this.gradients.reduce((sum, x) => sum + x * x, 0));
        return length > norm ? norm / length : 1;
    }

    /** Adam moves every weight: train.py's Adam.step. `rates` is {lr, correction1, correction2}.
     * `gradients` stay as they were before they were clipped. */
    adam({lr, correction1, correction2}) {
        const {weights, gradients, m, v, libm} = this;
        const {beta1, beta2, eps, weight_decay: decay, clip_norm: norm} = this.options;
        const rest1 = 1 - beta1;
        const rest2 = 1 - beta2;
        const left = 1 - lr * decay; // of every weight
        const clipping = this.clippingOf(norm);
        this.clipping = clipping;
        for (let i = 0; i < weights.length; i++) {
            const grad = gradients[i] * clipping;
            m[i] = beta1 * m[i] + rest1 * grad;
            v[i] = beta2 * v[i] + rest2 * libm.square(grad);
            const mHat = m[i] / correction1;
            const vHat = v[i] / correction2;
            weights[i] = weights[i] * left - (lr * mHat) / (libm.root(vHat) + eps);
        }
    }

    /** Learn from one batch; its loss. */
    step(batch, rates) {
        const loss = this.batchLoss(batch);
        this.adam(rates);
        this.steps++;
        return loss;
    }
}
