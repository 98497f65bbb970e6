// Two runs beside each other: options, losses, the first step and the first number that differ.
// The other page is read as text; nothing in it is run.
import {reprOf} from "../core/numbers.js";
import {act, button, fillIn, h, num, rich, table, voices} from "./kit.js";
import {linePlot} from "./charts.js";
import {lossWindow, runningMean} from "./pictures.js";
import {literal, meanPython, printed} from "./python.js";
import {askNow, run, set, state, subscribe} from "./state.js";
import {pageText} from "../text/page.js";

const PAYLOAD = /id="payload" data-sha256="([0-9a-f]{64})">([A-Za-z0-9+/=\s]*)</;

/** The payload in another page's text: {base64, sha256}. Throws a sentence. */
export function payloadOf(text) {
    const found = PAYLOAD.exec(text);
    if (!found) {
        throw new Error("This file is not a page that isograd explain made.");
    }
    return {base64: found[2], sha256: found[1]};
}

function shortValue(value) {
    const text = value === null || value === undefined ? "\u2013"
        : typeof value === "object" ? JSON.stringify(value) : String(value);
    return text.length > 28 ? text.slice(0, 24) + "\u2026" : text;
}

const DATA = ["data", "documents", "data's SHA-256", "vocab_size"];
const MOST_NAMED = 3;
const MACHINE = ["python", "libm", "machine", "isograd"];

function isSame([, mine, theirs]) {
    return JSON.stringify(mine) === JSON.stringify(theirs);
}

/** Why two runs differ, from the options that do: a sentence of pageText, and what stands in it. */
export function causeOf(options) {
    const different = options.filter((option) => !isSame(option)).map(([name]) => name);
    const chosen = different.filter((name) => !DATA.includes(name) && !MACHINE.includes(name));
    const isOther = different.includes("data's SHA-256");
    const machine = different.filter((name) => MACHINE.includes(name));
    const key = chosen.length ? (isOther ? "Both" : "Options") : isOther ? "Data"
        : machine.length ? "Machine" : "Nothing";
    return {key, names: chosen.length ? chosen : machine};
}

function causeSentence(options) {
    const {key, names} = causeOf(options);
    const said = names.slice(0, MOST_NAMED).map((name) => {
        const [, mine, theirs] = options.find((option) => option[0] === name);
        return [h("code", {"class": "whole"}, name), " (", h("bdi", null, shortValue(mine)),
            " here, ", h("bdi", null, shortValue(theirs)), " there)"];
    });
    if (names.length > MOST_NAMED) {
        said.push(`${names.length - MOST_NAMED} more`);
    }
    const list = said.map((one, i) => [i === 0 ? "" : i === said.length - 1 ? " and " : ", ", one]);
    return h("p", {"class": "proof"}, rich(pageText.compareCause[key], {names: h("span", null, list)}));
}

/** Which options differ, and, folded, which do not. */
function optionTables(options) {
    const rows = (list) => list.map(([name, ...values]) => [name,
        ...values.map((value) => h("bdi", null, shortValue(value)))]);
    const make = (list, label) => table(["", "this run", "other run"], rows(list),
        {label, "class": "words"});
    const different = options.filter((option) => !isSame(option));
    const equal = options.filter(isSame);
    return [different.length ? make(different, "Options that differ") : null,
    h("details", {"class": "vocabulary"}, h("summary", null, `${equal.length} options are the same`),
        make(equal, "Options that are the same"))];
}

const WHERE = {weight: "the weight ", letter: "character number ", size: "the size ",
    document: "document number ", sample: "sample number ", steps: "the number of steps",
    loss: "the loss"};

function placeText({what, place, step}) {
    const number = typeof place === "number" ? place + 1 : place ?? "";
    const when = step === 0 ? ", as drawn from the seed" : ` after step ${step}`;
    return (WHERE[what] ?? what) + number + (what === "weight" ? when : "");
}

/** Where this run's side of the first difference is looked at. */
function ownRef({what, step, name, row, column}) {
    return what === "loss" ? `loss/${step}` : what === "weight"
        ? `weight/${Math.max(1, step)}/${name}/${row}/${column}/${step ? "after" : "before"}`
        : "derived";
}

/** The name of this page's file. */
function ownName() {
    try {
        return decodeURIComponent(location.pathname.split("/").pop()) || "this page";
    } catch {
        return "this page";
    }
}

/** As Python writes it, with a true minus sign. */
function written(value) {
    return reprOf(value).replaceAll("-", "\u2212");
}

function firstSentence(first, name) {
    if (!first) {
        return h("p", {"class": "proof"}, pageText.compareEqual);
    }
    const isNumber = first.what === "weight" || first.what === "loss";
    const number = (value, ref) => isNumber ? num(value, ref, {text: written(value),
        formula: `${pageText.compareOther}${placeText(first)}, of ${name}`,
        python: () => printed(literal(value))})
        : h("bdi", null, shortValue(value));
    return [h("p", {"class": "proof"}, first.step ? `They part in step ${first.step}.`
        : "They differ from the start."),
    h("dl", {"class": "pairs"}, h("dt", null, "First difference"), h("dd", null, placeText(first)),
        h("dt", null, "This run"), h("dd", null, number(first.mine, ownRef(first)), " ",
            h("bdi", {"class": "how"}, ownName())),
        h("dt", null, "Other run"), h("dd", null, number(first.theirs, "derived"), " ",
            h("bdi", {"class": "how"}, name))),
    h("p", {"class": "note"}, pageText.compareOrder),
    first.step ? h("p", null, button(`Look at step ${first.step} of this run`,
        () => set({step: first.step}))) : null];
}

/** Losses over each other, smoothed as act 4 does it, for single ones jump about. */
function lossesOfBoth(theirs, first) {
    const window = lossWindow(run.steps);
    const mean = (losses) => runningMean(losses, window);
    const formula = (whose) => (i) => `mean of the ${whose} losses of steps ${
        Math.max(1, i + 2 - window)} to ${i + 1}`;
    const python = (losses) => (i) => meanPython(losses.subarray(Math.max(0, i + 1 - window), i + 1));
    const plot = linePlot({label: "Smoothed losses of both runs", xLabel: "step", at: state.step - 1,
        series: [{name: "this run", y: mean(run.losses), ref: () => "derived",
            formula: formula("run's"), python: python(run.losses), "class": "line-0"},
        {name: "other run", y: mean(theirs), ref: () => "derived",
            formula: formula("other run's"), python: python(theirs), "class": "line-1"}],
        marks: first?.step ? [{x: first.step, label: "first difference"}] : [],
        onPick: (i) => set({step: Math.min(i + 1, run.steps)})});
    subscribe(() => plot.move(state.step - 1), ["step"]);
    return plot;
}

function comparison({options, losses, first}, name) {
    return h("div", {"class": "stack"},
        h("h3", null, pageText.compareHeads[0]), causeSentence(options), optionTables(options),
        h("h3", null, pageText.compareHeads[1]), firstSentence(first, name),
        h("h3", null, pageText.compareHeads[2]), h("p", {"class": "note"}, rich(
            pageText.compareSmooth, {window: String(lossWindow(run.steps))})),
        lossesOfBoth(Float64Array.from(losses), first));
}

function dropZone(take) {
    const input = h("input", {type: "file", accept: ".html,text/html", id: "other-file",
        onchange: () => take(input.files[0])});
    const zone = h("div", {"class": "drop"}, h("p", null, "Drop another run's page here, or ",
        h("label", {"for": "other-file"}, "choose a file"), "."), input);
    for (const type of ["dragover", "dragenter"]) {
        zone.addEventListener(type, (event) => {
            event.preventDefault();
            zone.classList.add("over");
        });
    }
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => {
        event.preventDefault();
        zone.classList.remove("over");
        take(event.dataTransfer.files[0]);
    });
    return zone;
}

/** The comparison. */
export function compare() {
    const place = h("div", {"class": "comparison", "aria-live": "polite"}, h("span"));
    const show = (payload, name) => fillIn(place, payload.then(({base64, sha256}) =>
        askNow("compareWith", [base64, sha256])), (answer) => comparison(answer, name));
    const built = document.getElementById("payload-other");
    if (built) {
        show(Promise.resolve({base64: built.textContent.trim(), sha256: built.dataset.sha256}),
            pageText.compareBuilt);
    }
    const zone = dropZone((file) => file && show(file.text().then(payloadOf), file.name));
    return act("compare", "Compare", pageText.compareTitle, pageText.compareLead,
        voices(pageText.comparePlain, pageText.compareTechnical),
        built ? [place, zone] : [zone, place]);
}
