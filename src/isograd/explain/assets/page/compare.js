// Two runs beside each other: options, losses, the first step and the first number that differ.
// The other page is read as text; nothing in it is run.
import {act, button, fillIn, h, num, table, voices} from "./kit.js";
import {linePlot} from "./charts.js";
import {askNow, run, set} from "./state.js";
import {pageText} from "../text/page.js";

/** The payload in another page's text: {base64, sha256}. Throws a sentence. */
export function payloadOf(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const element = page.getElementById("payload");
    if (!element) {
        throw new Error("This file is not a page that isograd explain made.");
    }
    return {base64: element.textContent.trim(), sha256: element.dataset.sha256 || ""};
}

function optionRows(options) {
    const cell = (value) => value === null || value === undefined ? "\u2013"
        : typeof value === "object" ? JSON.stringify(value) : String(value);
    return options.map(([name, mine, theirs]) => {
        const same = cell(mine) === cell(theirs);
        const shown = (value) => h("span", {"class": same ? null : "differs"},
            h("bdi", null, cell(value).slice(0, 80)));
        return [name, shown(mine), shown(theirs)];
    });
}

function placeText(first) {
    const place = first.place;
    if (!place) {
        return first.what;
    }
    return typeof place === "string" ? `${first.what} ${place}` : Array.isArray(place)
        ? `${first.what} ${place[0]}[${place[1]}][${place[2]}]`
        : `${first.what} ${place.name}[${place.row}][${place.column}]`;
}

function firstSentence(first) {
    if (!first) {
        return h("p", {"class": "proof"}, "No number differs: both runs are the same, bit for bit.");
    }
    const number = (value) => typeof value === "number"
        ? num(value, "derived", {digits: 6, formula: `recorded: ${placeText(first)}`})
        : h("bdi", null, String(value));
    return [h("p", {"class": "proof"}, first.step ? `They part in step ${first.step}.`
        : "They differ from the start."),
    h("dl", {"class": "pairs"}, h("dt", null, "first number that differs"),
        h("dd", null, placeText(first)), h("dt", null, "this run"), h("dd", null,
            number(first.mine)), h("dt", null, "other run"), h("dd", null, number(first.theirs))),
    first.step ? button(`Look at step ${first.step} of this run`,
        () => set({step: first.step})) : null];
}

function comparison(answer) {
    const {options, losses, first} = answer;
    const theirs = Float64Array.from(losses);
    return h("div", {"class": "stack"}, firstSentence(first),
        h("h3", null, "Losses"),
        linePlot({label: "Losses of both runs", xLabel: "step", at: first?.step ? first.step - 1 : 0,
            series: [{name: "other run", y: theirs, ref: () => "derived", formula: (i) =>
                `the other run's loss in step ${i + 1}`, "class": "line-1"},
            {name: "this run", y: run.losses, ref: (i) => `loss/${i + 1}`, "class": "line-0"}],
            marks: first?.step ? [{x: first.step, label: "first difference"}] : [],
            onPick: (i) => set({step: Math.min(i + 1, run.options.steps)})}),
        h("h3", null, "Options"),
        table(["", "this run", "other run"], optionRows(options), {label: "Options of both runs",
            "class": "words"}));
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
    const show = (payload) => fillIn(place, payload.then(({base64, sha256}) =>
        askNow("compareWith", [base64, sha256])), comparison);
    const built = document.getElementById("payload-other");
    if (built) {
        show(Promise.resolve({base64: built.textContent.trim(), sha256: built.dataset.sha256}));
    }
    return act("compare", "Compare", pageText.compareTitle, pageText.compareLead,
        voices(pageText.comparePlain, pageText.compareTechnical),
        dropZone((file) => file && show(file.text().then(payloadOf))), place);
}
