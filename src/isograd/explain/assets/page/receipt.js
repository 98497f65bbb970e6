// Verify: the whole run replayed by the worker, and what came of it. One verification for the
// whole page, which the bar shows, too.
import {hexOf, reprOf} from "../core/numbers.js";
import {isStraight} from "../core/rates.js";
import {act, button, h, replace, rich, voices} from "./kit.js";
import {askNow, run, set} from "./state.js";
import {pageText} from "../text/page.js";

export const verification = {status: "none", progress: null, result: null, error: null, took: 0};

const watchers = [];

/** Calls fn now and after each change. */
export function watchVerification(fn) {
    watchers.push(fn);
    fn(verification);
}

function changed(changes) {
    Object.assign(verification, changes);
    watchers.forEach((fn) => fn(verification));
}

/** Replays the run, once; asked again after the end, it replays again. */
export function verifyRun() {
    if (verification.status === "running") {
        return verification.promise;
    }
    const start = performance.now();
    const promise = askNow("verify", [], (progress) => changed({progress}));
    changed({status: "running", progress: null, result: null, error: null, promise});
    promise.then((result) => changed({status: "done", result, took: performance.now() - start}),
        (error) => changed({status: "failed", error: error.message}));
    return promise;
}

function shareDone({progress}) {
    if (!progress) {
        return 0;
    }
    return progress.total ? progress.done / progress.total : 0;
}

/** What the bar's button says. */
export function verificationText(now) {
    if (now.status === "running") {
        return `Verifying ${Math.floor(100 * shareDone(now))}\u2009%`;
    }
    if (now.status === "done") {
        return now.result.different === 0 ? "\u2713 Every bit equal" : "\u2717 Difference found";
    }
    return now.status === "failed" ? "Verify failed" : "Verify";
}

function shown(x) {
    return typeof x === "number" ? `${reprOf(x)}  (${hexOf(x)})` : String(x);
}

function firstDifference(first) {
    return h("div", {"class": "difference"},
        h("p", null, h("strong", null, "First difference: "),
            first.step ? `step ${first.step}, ` : "before step 1, ", String(first.what)),
        h("dl", {"class": "pairs"}, h("dt", null, "recorded"),
            h("dd", {"class": "hex"}, shown(first.expected)), h("dt", null, "replayed here"),
            h("dd", {"class": "hex"}, shown(first.actual))),
        first.step ? button(`Look at step ${first.step}`, () => set({step: first.step})) : null);
}

function outcome(now) {
    if (now.status === "none") {
        return h("p", {"class": "note"}, pageText.receiptBefore);
    }
    if (now.status === "failed") {
        return h("p", {"class": "sorry"}, now.error);
    }
    if (now.status === "running") {
        return h("p", null, now.progress?.total ? `Step ${now.progress.done.toLocaleString("en")
        } of ${now.progress.total.toLocaleString("en")}.` : "Starting\u2026");
    }
    const {steps, different, first} = now.result;
    if (different === 0) {
        return [h("p", {"class": "proof"}, h("span", {"class": "tick", "aria-hidden": "true"},
            "\u2713"), ` ${steps.toLocaleString("en")} of ${run.steps.toLocaleString("en")
        } steps replayed, 0 bits different.`),
        h("p", {"class": "note"}, `Losses, weights and samples are, to the last bit, those of ` +
            `the machine that recorded them (${run.machine}, ${run.libm}). It took ` +
            `${(now.took / 1000).toFixed(1)} seconds here.`)];
    }
    return [h("p", {"class": "proof bad"}, `${steps.toLocaleString("en")} steps replayed, ` +
        `${different.toLocaleString("en")} of what was compared differ.`),
    first ? firstDifference(first) : null];
}

const CHECKED = [
    ["The order of the documents", "shuffled again from the seed"],
    ["The first weights", "drawn again from the seed, compared in all 64 bits"],
    ["Every loss", "compared in all 64 bits"],
    ["All weights after every step", "compared by a digest of 64 bits"],
    ["Weights and moments at the keyframes (steps whose whole state is kept)",
        "compared in all 64 bits"],
    ["The samples", "drawn again, letter by letter"],
];
const SCHEDULED = ["Every learning rate", "computed again from the schedule"];

/** The receipt. */
export function receipt() {
    const place = h("div", {"class": "outcome", role: "status"});
    const meter = h("div", {"class": "meter", role: "progressbar", "aria-label": "Steps replayed",
        "aria-valuemin": 0, "aria-valuemax": 100}, h("i", null));
    const start = button("Verify", verifyRun, {"class": "button main"});
    let was = "";
    watchVerification((now) => {
        const share = now.status === "done" ? 1 : shareDone(now);
        meter.style.setProperty("--share", String(share));
        meter.setAttribute("aria-valuenow", Math.round(100 * share));
        meter.hidden = now.status !== "running";
        start.textContent = now.status === "running" ? "Verifying\u2026"
            : now.status === "none" ? "Verify" : "Verify again";
        place.setAttribute("aria-live", now.status === "running" && was === "running" ? "off"
            : "polite");
        was = now.status;
        replace(place, outcome(now));
    });
    return act("receipt", "Receipt", pageText.receiptTitle, pageText.receiptLead,
        voices(pageText.receiptPlain, pageText.receiptTechnical),
        h("div", {"class": "receipt"},
            h("ul", {"class": "checked"}, [...CHECKED, ...isStraight(run.options) ? []
                : [SCHEDULED]].map(([what, how]) => h("li", null,
                h("span", null, what), h("span", {"class": "how"}, how)))),
            h("div", {"class": "row"}, start), meter, place),
        h("p", {"class": "note"}, rich(pageText.exception)),
        run.data.judging ? h("p", {"class": "note"}, pageText.receiptValidation) : null);
}
