// The proof: all that was recorded of a run, computed again and compared, bit by bit.

import {digestOf} from "./digest.js";
import {bitsOf} from "./numbers.js";
import {allowedRates, isStraight, wrongEnd} from "./rates.js";
import {drawSamples, drawWeights} from "./sampling.js";

/** The place of the first difference of two arrays of numbers, or -1. */
export function firstDifference(a, b) {
    return a.findIndex((x, i) => !Object.is(x, b[i]));
}

/** How a weight is written in Python. */
export function weightName({name, row, column}) {
    return `${name}[${row}][${column}]`;
}

function hexDigits(bytes) {
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const FRACTION = 192n; // bits of the powers below

/** beta, beta**2, .. one after the other, as the doubles that may stand for each. */
class Powers {
    constructor(beta) {
        const bits = bitsOf(beta);
        const biased = bits >> 52n;
        const digits = (bits & 0xfffffffffffffn) | (biased ? 1n << 52n : 0n);
        this.factor = (digits << FRACTION) >> (1075n - (biased || 1n));
        this.power = 1n << FRACTION;
    }

    next() {
        this.power = (this.power * this.factor) >> FRACTION;
        const power = Number(this.power) / 2 ** Number(FRACTION);
        return [power, power * (1 - 2 ** -52), power * (1 + 2 ** -52)];
    }
}

class Verification {
    constructor(run) {
        this.run = run;
        this.step = 0; // where it is
        this.different = 0;
        this.first = null;
    }

    /** Note a difference: `expected` was recorded, `actual` was computed now. */
    differs(step, what, expected, actual) {
        this.different++;
        this.first ??= {step, what, expected, actual};
    }

    /** Which documents a seed puts first, and which weights it draws. */
    beginning() {
        const {run} = this;
        this.powers = [new Powers(run.options.beta1), new Powers(run.options.beta2)];
        const {order, weights} = run.arrays;
        const drawn = drawWeights(run);
        const i = firstDifference(order, drawn.order);
        if (i >= 0) {
            const step = Math.floor(i / run.options.batch_size) + 1;
            this.differs(step, `place of training document ${i}`, order[i], drawn.order[i]);
        }
        this.weights(0, "drawn weight", weights, drawn.weights);
    }

    weights(step, what, expected, actual) {
        const i = firstDifference(expected, actual);
        if (i >= 0) {
            const name = weightName(this.run.weightAt(i));
            this.differs(step, `${what} ${name}`, expected[i], actual[i]);
        }
    }

    afterStep(replay, k, loss) {
        this.step = k + 1;
        this.corrections(k);
        this.rate(k);
        const {losses} = this.run.arrays;
        if (!Object.is(losses[k - 1], loss)) {
            this.differs(k, "loss", losses[k - 1], loss);
        }
        this.digest(replay, k);
        this.keyframe(replay, k);
    }

    /** 1 - beta**k, where the machine's power may be off by one in the last place. */
    corrections(k) {
        this.powers.forEach((powers, i) => {
            const recorded = this.run.arrays.corrections[2 * (k - 1) + i];
            const allowed = powers.next().map((power) => 1 - power);
            if (!allowed.includes(recorded)) {
                this.differs(k, `1 - beta${i + 1}**${k}`, recorded, allowed[0]);
            }
        });
    }

    /** The learning rate, where it was recorded. */
    rate(k) {
        const {options, arrays} = this.run;
        if (isStraight(options)) {
            return;
        }
        const allowed = allowedRates(options, k);
        if (!allowed.some((rate) => Object.is(rate, arrays.rates[k - 1]))) {
            this.differs(k, "learning rate", arrays.rates[k - 1], allowed[0]);
        }
    }

    digest(replay, k) {
        const every = this.run.header.digest_every;
        if (k % every) {
            return;
        }
        const at = 8 * (k / every - 1);
        const recorded = this.run.arrays.digests.subarray(at, at + 8);
        const found = digestOf(replay.weights);
        if (firstDifference(recorded, found) >= 0) {
            this.differs(k, "digest of the weights", hexDigits(recorded), hexDigits(found));
        }
    }

    keyframe(replay, k) {
        const {arrays} = this.run;
        const i = arrays.keyframe_steps.indexOf(k);
        if (i < 0) {
            return;
        }
        for (const name of ["weights", "m", "v"]) {
            const n = replay.weights.length;
            const recorded = arrays[`keyframe_${name}`].subarray(i * n, (i + 1) * n);
            this.weights(
                k,
                `keyframe's ${name === "weights" ? "weight" : name} of`,
                recorded,
                replay[name],
            );
        }
    }

    async samples(last, turn) {
        const {run} = this;
        const replay = run.kept === run.steps ? last : await run.replayTo(run.kept, turn);
        const recorded = run.header.samples;
        const drawn = await drawSamples(run, replay, turn);
        drawn.forEach(({text}, i) => {
            if (text !== recorded[i]) {
                this.differs(run.steps, `sample ${i + 1}`, recorded[i] ?? null, text);
            }
        });
        if (recorded.length !== drawn.length) {
            this.differs(run.steps, "number of samples", recorded.length, drawn.length);
        }
    }

    /** What no replay can see: a record that is never used, and the bytes of texts and names. */
    rest() {
        const {run} = this;
        const frames = Array.from(run.arrays.keyframe_steps);
        const isSorted = frames.every((k, i) => k > (frames[i - 1] ?? 0));
        if (!isSorted || frames.at(-1) !== run.steps) {
            this.differs(run.steps, "steps of the keyframes", frames.join(", "), "up to the last");
        }
        const wrong = wrongEnd(run);
        if (wrong) {
            this.differs(run.steps, ...wrong);
        }
        for (const {name, x} of run.libm.neverAsked()) {
            this.differs(run.steps, `recorded call of ${name}`, x, "never made");
        }
        if (!run.intact) {
            this.differs(run.steps, "SHA-256 of the record", "as on the page", "another one");
        }
    }
}

/** Replays the run and compares: {steps, different, first: null | {step, what, expected, actual}}.
 * Step 0 is the drawing of the weights. */
export async function verifyRun(run, turn) {
    const verification = new Verification(run);
    try {
        verification.beginning();
        verification.step = 1;
        const replay = await run.everyStep(turn, (...step) => verification.afterStep(...step));
        await verification.samples(replay, turn);
        verification.rest();
    } catch (error) {
        if (turn.isAbandoned) {
            throw error;
        }
        verification.differs(
            verification.step,
            "record",
            "one that can be replayed",
            error.message,
        );
    }
    const {different, first} = verification;
    return {steps: run.steps, different, first};
}
