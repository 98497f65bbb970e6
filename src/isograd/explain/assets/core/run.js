// A recorded run: its documents, its rates, and where it stood after any step, replayed from the
// nearest step that is known.

import {countWeights, positionsOf, tapeOfStep, weightShapes} from "./model.js";
import {isStraight} from "./rates.js";
import {Replay} from "./replay.js";
import {Libm} from "./rounded.js";

const SLICE = 25; // milliseconds that a question may take before others get their turn
const BETWEEN_SNAPSHOTS = 10; // steps, where there is room
const ROOM_FOR_SNAPSHOTS = 64 << 20; // bytes
const RECENT_STEPS = 3; // whose numbers are kept

/** What a long question holds: it lets others have their turn, reports, and can be abandoned. */
export class Turn {
    constructor(onProgress = () => {}) {
        this.onProgress = onProgress;
        this.isAbandoned = false;
        this.since = performance.now();
    }

    async breathe(done, total) {
        if (performance.now() - this.since < SLICE) {
            return;
        }
        this.onProgress({done, total});
        await new Promise((resolve) => setTimeout(resolve));
        if (this.isAbandoned) {
            throw new Error("abandoned");
        }
        this.since = performance.now();
    }
}

/** Which lengths the arrays of a payload must have. */
function lengthsOf({header, arrays}) {
    const {config, options, data, steps} = header;
    const weights = countWeights(config);
    const frames = arrays.keyframe_steps.length;
    const calls = Object.keys(arrays).filter((name) => name.endsWith("_x"));
    return {
        weights,
        losses: steps,
        corrections: 2 * steps,
        ...(isStraight(options) ? {} : {rates: steps}),
        ...(options.validation === null ? {} : validationLengths(arrays)),
        digests: 8 * Math.floor(steps / header.digest_every),
        order: Math.min(steps * options.batch_size, data.training),
        text_at: header.texts.length,
        keyframe_weights: frames * weights,
        keyframe_m: frames * weights,
        keyframe_v: frames * weights,
        ...Object.fromEntries(calls.map((name) => [name.replace(/x$/, "d"), arrays[name].length])),
    };
}

/** As many losses as looks at them; each look is at a step's end. */
function validationLengths({validation_steps: looks}) {
    return {validation_losses: looks.length};
}

/** Whether all options are there that numbers depend on. */
function hasOptions({header: {options, steps, kept, data}}) {
    const {lr, temperature, init_std: std, beta1, beta2, eps, weight_decay: decay} = options;
    const numbers = [lr, temperature, std, beta1, beta2, eps, decay, steps, kept, data.training];
    const {clip_norm: norm, patience, extended, warmup} = options;
    return (
        [...numbers, warmup].every(Number.isFinite) &&
        [norm, patience].every((x) => x === null || Number.isFinite(x)) &&
        extended.every((pair) => pair.length === 2 && pair.every(Number.isInteger)) &&
        kept >= 1 &&
        kept <= steps &&
        steps <= options.steps
    );
}

/** What is wrong with a payload, or null. */
function misfit(payload) {
    const {header, arrays} = payload;
    const {n_head: heads, n_embd: size, vocab_size: letters} = header.config;
    if (!(heads >= 1 && size % heads === 0)) {
        return "the number of heads does not fit the rest";
    }
    if (header.chars.length + 1 !== letters || !Array.isArray(header.samples)) {
        return "the vocabulary does not fit the rest";
    }
    if (!hasOptions(payload)) {
        return "an option is missing";
    }
    const lengths = lengthsOf(payload);
    const wrong = Object.keys(lengths).find((name) => arrays[name]?.length !== lengths[name]);
    return wrong ? `${wrong} does not fit the rest` : null;
}

/** Throws a sentence where a payload cannot be that of a run. */
function checkPayload(payload) {
    let what;
    try {
        what = misfit(payload);
    } catch {
        what = "a part is missing";
    }
    if (what) {
        throw new Error(`This page's record of the run is damaged: ${what}.`);
    }
}

export class Run {
    /** `payload` is what readPayload returns; `intact` says whether its bytes are as recorded. */
    constructor(payload, intact = true) {
        checkPayload(payload);
        this.header = payload.header;
        this.arrays = payload.arrays;
        this.intact = intact;
        this.config = payload.header.config;
        this.options = payload.header.options;
        this.steps = this.header.steps; // done: fewer than asked for where patience ended
        this.kept = this.header.kept; // the step whose weights are the run's result
        this.bos = this.header.chars.length;
        this.libm = new Libm(payload);
        this.shapes = weightShapes(this.config);
        this.ids = new Map(this.header.chars.map((char, id) => [char, id]));
        this.texts = new Map(this.header.texts.map((text, i) => [this.arrays.text_at[i], text]));
        this.snapshots = new Map(); // by the number of steps done
        const bytes = 24 * this.arrays.weights.length * this.steps;
        this.betweenSnapshots = Math.max(BETWEEN_SNAPSHOTS, Math.ceil(bytes / ROOM_FOR_SNAPSHOTS));
        this.openShares = null;
        this.recent = {states: new Map(), graphs: new Map()};
    }

    // ---- what a step learns from; steps count from 1 ----

    /** Which of the training documents, in their order, a step uses. */
    placesOf(k) {
        const {batch_size: size} = this.options;
        return Array.from(
            {length: size},
            (_, b) => ((k - 1) * size + b) % this.header.data.training,
        );
    }

    documentsOf(k) {
        this.checkStep(k);
        return this.placesOf(k).map((place) => {
            const text = this.texts.get(this.arrays.order[place]);
            if (text === undefined) {
                throw new Error(`This page's record of the run lacks a document of step ${k}.`);
            }
            return text;
        });
    }

    /** The ids of a text's characters between two BOS, -1 for those that the model never saw. */
    encode(text) {
        return [this.bos, ...Array.from(text, (char) => this.ids.get(char) ?? -1), this.bos];
    }

    tokensOf(k) {
        return this.documentsOf(k).map((text) => {
            const tokens = this.encode(text);
            if (tokens.slice(0, positionsOf(this.config, tokens) + 1).includes(-1)) {
                throw new Error(
                    `A document of step ${k} has a character that is in no vocabulary.`,
                );
            }
            return tokens;
        });
    }

    ratesOf(k) {
        const {corrections, rates} = this.arrays;
        const {lr, steps} = this.options;
        return {
            lr: isStraight(this.options) ? lr * (1 - (k - 1) / steps) : rates[k - 1],
            correction1: corrections[2 * (k - 1)],
            correction2: corrections[2 * (k - 1) + 1],
        };
    }

    checkStep(k, least = 1) {
        if (!Number.isInteger(k) || k < least || k > this.steps) {
            throw new Error(`A step is a whole number from ${least} to ${this.steps}.`);
        }
    }

    /** The place of a weight in the array of all. */
    weightId(name, row, column) {
        const shape = this.matrixOf(name);
        const isPlace = (i, n) => Number.isInteger(i) && i >= 0 && i < n;
        if (!isPlace(row, shape.rows) || !isPlace(column, shape.columns)) {
            throw new Error(`${name} has ${shape.rows} rows of ${shape.columns} weights.`);
        }
        return shape.start + row * shape.columns + column;
    }

    matrixOf(name) {
        const shape = this.shapes.find((other) => other.name === name);
        if (!shape) {
            throw new Error(`The model has no weights named ${JSON.stringify(name)}.`);
        }
        return shape;
    }

    weightAt(id) {
        const shape = this.shapes.findLast(({start}) => start <= id);
        const place = id - shape.start;
        const column = place % shape.columns;
        return {name: shape.name, row: (place - column) / shape.columns, column};
    }

    // ---- where the run stood ----

    /** The last known state that is not after `steps` steps. */
    knownState(steps) {
        const {weights, keyframe_steps: frames} = this.arrays;
        const zeros = new Float64Array(weights.length);
        let best = {weights, m: zeros, v: zeros, steps: 0};
        frames.forEach((step, i) => {
            if (step <= steps && step > best.steps) {
                const part = (name) =>
                    this.arrays[name].subarray(i * weights.length, (i + 1) * weights.length);
                const [w, m, v] = ["keyframe_weights", "keyframe_m", "keyframe_v"].map(part);
                best = {weights: w, m, v, steps: step};
            }
        });
        for (const snapshot of this.snapshots.values()) {
            if (snapshot.steps <= steps && snapshot.steps > best.steps) {
                best = snapshot;
            }
        }
        return best;
    }

    newReplay(state = this.knownState(0)) {
        const replay = new Replay(this.config, this.options, this.libm);
        replay.load(state);
        return replay;
    }

    /** Do the next step of `replay`; its loss. Leaves a snapshot now and then. */
    advance(replay) {
        const k = replay.steps + 1;
        const loss = replay.step(this.tokensOf(k), this.ratesOf(k));
        if (k % this.betweenSnapshots === 0 && !this.snapshots.has(k)) {
            this.snapshots.set(k, replay.state());
        }
        return loss;
    }

    /** A replay that has done `steps` steps. */
    async replayTo(steps, turn = new Turn()) {
        const replay = this.newReplay(this.knownState(steps));
        while (replay.steps < steps) {
            this.advance(replay);
            await turn.breathe(replay.steps, steps);
        }
        return replay;
    }

    /** Replays all steps from the first and calls visit(replay, k, loss) after each. */
    async everyStep(turn, visit = () => {}) {
        const replay = this.newReplay();
        const shares = new Float64Array(this.steps);
        for (let k = 1; k <= this.steps; k++) {
            const loss = this.advance(replay);
            shares[k - 1] = replay.open / replay.units;
            visit(replay, k, loss);
            await turn.breathe(k, this.steps);
        }
        this.openShares = shares;
        return replay;
    }

    /** Promises what a step did to the weights: {before, grad, clipping, m, v, after, loss}. */
    stateOf(k) {
        this.checkStep(k);
        return keep(this.recent.states, k, async () => {
            const replay = await this.replayTo(k - 1);
            const before = replay.weights.slice();
            const loss = this.advance(replay);
            const {gradients: grad, clipping, m, v, weights: after} = replay;
            return {before, grad, clipping, m, v, after, loss};
        });
    }

    /** Promises the graph of a step, swept backward: what tapeOfStep returns. */
    graphOf(k) {
        return keep(this.recent.graphs, k, async () => {
            const {before} = await this.stateOf(k);
            return tapeOfStep(this.config, this.libm, before, this.tokensOf(k));
        });
    }
}

/** The promise in `cache` by the name `key`, made now if it is not there; the oldest one goes. */
function keep(cache, key, make) {
    const promise = cache.get(key) ?? make();
    cache.delete(key);
    cache.set(key, promise);
    promise.catch(() => cache.delete(key));
    if (cache.size > RECENT_STEPS) {
        cache.delete(cache.keys().next().value);
    }
    return promise;
}
