// The learning rate of each step, and which documents' loss decided how a run ended: what the options
// say, beside what was recorded.

import {roundedCos} from "./rounded.js";

/** Whether the rate falls on one line to 0; otherwise the payload lists it. */
export function isStraight({schedule, warmup, extended}) {
    return schedule === "linear" && warmup === 0 && extended.length === 0;
}

/** How many steps the run was to have when it did step k. */
export function stepsAt({steps, extended}, k) {
    return extended.find(([end]) => k <= end)?.[1] ?? steps;
}

/** Which rates step k may have: those of reference/train.py's learning_rate, where a machine's cosine
 * may be off by one in the last place. */
export function allowedRates(options, k) {
    const {lr, schedule, warmup} = options;
    const step = k - 1;
    if (step < warmup) {
        return [lr * ((step + 1) / warmup)];
    }
    if (schedule === "constant") {
        return [lr];
    }
    const done = (step - warmup) / (stepsAt(options, k) - warmup);
    if (schedule === "cosine") {
        const cosine = roundedCos(Math.PI * done);
        const near = [cosine, cosine * (1 - 2 ** -52), cosine * (1 + 2 ** -52)];
        return near.map((x) => lr * (0.5 * (1 + x)));
    }
    return [lr * (1 - done)];
}

/** Of two arrays, steps and their validation losses: the step with the least, the first of equals. */
export function bestStep(steps, losses) {
    let best = 0;
    losses.forEach((loss, i) => {
        if (loss < losses[best] || (Number.isNaN(losses[best]) && !Number.isNaN(loss))) {
            best = i;
        }
    });
    return steps[best];
}

/** What is wrong with the step at which a run ended, or with that whose weights it kept; or null. */
export function wrongEnd({options, steps, kept, arrays}) {
    const {validation_steps: looks = [], validation_losses: losses = []} = arrays;
    const best = looks.length > 0 ? bestStep(looks, losses) : 0;
    if (steps !== options.steps) {
        const since = looks.filter((step) => step > best).length;
        if (options.patience === null || since < options.patience || looks.at(-1) !== steps) {
            return ["last step", steps, options.steps];
        }
    }
    const mayKeep = options.keep === "best" && best > 0 ? [best, steps] : [steps];
    return mayKeep.includes(kept) ? null : ["step whose weights were kept", kept, mayKeep[0]];
}
