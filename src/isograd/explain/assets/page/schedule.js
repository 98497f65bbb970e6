// What this run's options change in the page's formulas and words: the learning rate of a step, what
// comes before Adam's update, the MLP's activation, where the run ended.
import {isStraight, stepsAt} from "../core/rates.js";
import {reprOf} from "../core/numbers.js";

/** The rate of step k as {text, python}: a formula with the run's numbers in it. */
export function rateFormula(options, k) {
    const {lr, schedule, warmup} = options;
    const rate = reprOf(lr);
    if (k <= warmup) {
        return {text: `${rate} \u00d7 ${k} / ${warmup}`, python: `${rate} * (${k} / ${warmup})`};
    }
    const done = k - 1 - warmup;
    const all = stepsAt(options, k) - warmup;
    if (schedule === "constant") {
        return {text: rate, python: rate};
    }
    if (schedule === "cosine") {
        return {text: `${rate} \u00d7 \u00bd (1 + cos(\u03c0 \u00d7 ${done} / ${all}))`,
            python: `${rate} * (0.5 * (1 + math.cos(math.pi * (${done} / ${all}))))`};
    }
    return {text: `${rate} \u00d7 (1 \u2212 ${done} / ${all})`,
        python: `${rate} * (1 - ${done} / ${all})`};
}

/** A Python text that prints the rate of step k. */
export function ratePython(options, k) {
    const {python} = rateFormula(options, k);
    const needsMath = python.includes("math.");
    return `${needsMath ? "import math\n\n" : ""}print((${python}).hex())`;
}

/** Which parts of a weight's step there are: clipping and decay only where the run has them. */
export function hasPart({clip_norm: norm, weight_decay: decay}, which) {
    return which === "clipped" ? norm !== null : which === "decayed" ? decay !== 0 : true;
}

/** How the learning rate goes, in a few words; "" where it falls on one line, as usual. */
export function scheduleWords(options) {
    const {schedule, warmup, extended, steps} = options;
    if (isStraight(options)) {
        return "";
    }
    const goes = {linear: "falls on a line to 0", cosine: "falls to 0 on half a cosine wave",
        constant: "stays there"}[schedule];
    const again = extended.map(([end], i) => `; from step ${(end + 1).toLocaleString("en")} on, ` +
        `as in a run of ${(extended[i + 1]?.[1] ?? steps).toLocaleString("en")} steps`).join("");
    return (warmup ? `rises in ${warmup.toLocaleString("en")} steps, then ` : "") + goes + again;
}

/** Whether the MLP squares what its relu lets through. */
export function squares({activation}) {
    return activation === "relu2";
}

/** The matrix whose rows give the logits. */
export function headName({tie_weights: tied}) {
    return tied ? "wte" : "lm_head";
}
