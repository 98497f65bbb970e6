// The first screen: what this run is, what it writes, and where to go.
import {weightField} from "./field.js";
import {h, num, rich} from "./kit.js";
import {leastValidation, weightCount} from "./pictures.js";
import {scheduleWords, squares} from "./schedule.js";
import {run, set, state, subscribe} from "./state.js";
import {pageText} from "../text/page.js";

export const contents = [
    ["act1", "1", "Data", "Names in, numbers out"],
    ["act2", "2", "One number", "What a gradient is"],
    ["act3", "3", "The model", "From a letter to a guess"],
    ["act4", "4", "Learning", "Pick, predict, blame, nudge"],
    ["act5", "5", "New documents", "How it writes"],
    ["end", "\u2192", "The end", "Everything in one picture"],
    ["receipt", "\u2713", "Receipt", "The page proves itself"],
    ["compare", "\u2260", "Compare", "Two runs, first difference"],
];

function fact(name, value) {
    return h("div", {"class": "fact"}, h("dt", null, name), h("dd", null, value));
}

const many = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

/** How many steps there were, and why not more. */
function trainingFact({options, steps}) {
    const asked = options.steps.toLocaleString("en");
    const ends = options.extended.map(([end]) => end.toLocaleString("en")).join(" and ");
    return `${many(steps, "step")} of ${many(options.batch_size, "document")}` +
        (steps < options.steps ? `; ${asked} were asked for, then patience ended it` : "") +
        (ends ? `; extended after step ${ends}` : "");
}

/** What is done to gradients and weights beside Adam's own update, if anything. */
function updateFact({weight_decay: decay, clip_norm: norm, beta1, beta2}) {
    return [`Adam, betas ${beta1} and ${beta2}`, decay ? `weight decay ${decay}` : "",
        norm === null ? "" : `gradients clipped to length ${norm}`].filter(Boolean).join(", ");
}

/** The least validation loss, and what it decided. */
function validationFacts({validation, data, kept, steps}) {
    if (validation.steps.length === 0) {
        return [];
    }
    const {step, loss} = leastValidation(validation);
    return [fact("Validation", [many(data.judging, "document"), ", least loss ",
        num(loss, `validation/${step}`), ` after step ${step.toLocaleString("en")}`]),
    kept < steps ? fact("Result", `the weights after step ${kept.toLocaleString("en")}`) : null];
}

/** The card of the run. */
export function facts() {
    const {config, options, data} = run;
    const words = scheduleWords(options);
    const kind = (squares(config) ? ", relu squared" : "") +
        (config.tie_weights ? ", tied weights" : "");
    return h("dl", {"class": "facts"},
        fact("Data", `${data.name}, ${many(data.documents, "document")}`),
        fact("Alphabet", `${config.vocab_size - 1} characters and an end`),
        fact("Model", `${many(config.n_layer, "layer")}, width ${config.n_embd}, ` +
            `${many(config.n_head, "head")}, context ${config.block_size}${kind}`),
        fact("Weights", weightCount(config).toLocaleString("en")),
        fact("Training", trainingFact(run)),
        fact("Learning rate", [num(options.lr, "header/options.lr"), words ? `; it ${words}` : ""]),
        options.weight_decay || options.clip_norm !== null
            ? fact("Update", updateFact(options)) : null,
        fact("Seed", options.seed),
        fact("Final loss", num(run.losses[run.steps - 1], `loss/${run.steps}`)),
        validationFacts(run),
        fact("Recorded with", `isograd ${run.isograd}, Python ${run.python}`),
        fact("Machine", `${run.machine}, ${run.libm}`));
}

const HOLD = [0, 250, 700, 1500, 3000]; // milliseconds

/** Scrolls to an act, and again while figures above it fill in, until the reader moves. */
export function showAct(id) {
    const section = document.getElementById(id);
    if (!section) {
        return;
    }
    const timers = HOLD.map((delay) => setTimeout(() =>
        section.scrollIntoView({behavior: "instant"}), delay));
    const stop = () => timers.forEach(clearTimeout);
    for (const event of ["wheel", "pointerdown", "keydown", "touchstart"]) {
        window.addEventListener(event, stop, {once: true, passive: true});
    }
    section.querySelector("h2, h3")?.focus({preventScroll: true});
}

export function goTo(id) {
    if (state.act === id) {
        showAct(id);
    } else {
        set({act: id}, {push: true});
    }
}

function linkTo(id, afterwards, ...content) {
    return h("a", {href: `#act=${id}`, "data-act": id, onclick: (event) => {
        event.preventDefault();
        afterwards();
        goTo(id);
    }}, content);
}

/** Links to the widgets of an act, as far as it is built. */
function widgetLinks(id, afterwards) {
    const figures = [...document.querySelectorAll(`#${id} .figure`)];
    return figures.length === 0 ? null : h("ul", {"class": "widgets"}, figures.map((one) =>
        h("li", null, linkTo(one.id, afterwards, one.querySelector("h3").textContent))));
}

/** The acts as a list of links, and those of their widgets if `deep`. */
export function contentsList(afterwards = () => {}, deep = false) {
    return h("nav", {"class": "contents", "aria-label": pageText.contents}, h("ol", null,
        contents.map(([id, mark, title, line]) => h("li", null, linkTo(id, afterwards,
            h("span", {"class": "mark", "aria-hidden": "true"}, mark),
            h("span", {"class": "name"}, title), h("span", {"class": "line"}, line)),
        deep ? widgetLinks(id, afterwards) : null))));
}

/** Opens the first draw of sample i; the figure of act 5 shows the same sample then. */
export function openSample(i) {
    set({at: `sample/${i}/0/draw`, sample: `${i}.0`}, {push: true});
}

function sampleList() {
    const list = h("ul", {"class": "hero-samples", "aria-label": pageText.heroSamples},
        run.samples.slice(0, 12).map((text, i) => h("li", null, h("button", {type: "button",
            "class": "sample-name", dir: "auto",
            onclick: () => openSample(i)},
        text.slice(0, 40) || "\u25cf"))));
    return list;
}

/** What the bar says on a screen: which step the pages show. */
function printedAt() {
    const line = h("p", {"class": "print-only"});
    const show = () => {
        line.textContent = pageText.printed.replace("{step}", state.step.toLocaleString("en"))
            .replace("{steps}", run.steps.toLocaleString("en"));
    };
    subscribe(show, ["step"]);
    show();
    return line;
}

/** The hero. */
export function hero() {
    return h("section", {"class": "hero", "aria-labelledby": "hero-title"},
        h("p", {"class": "brand"}, pageText.brand),
        h("h1", {id: "hero-title"}, pageText.heroTitle),
        h("p", {"class": "lead"}, rich(pageText.heroLead, {
            documents: (run.steps * run.options.batch_size).toLocaleString("en"),
            data: "documents"})),
        h("h2", {"class": "hero-label"}, rich(pageText.heroWeights,
            {n: weightCount(run.config).toLocaleString("en")})),
        weightField(),
        h("p", {"class": "note"}, rich(run.config.tie_weights ? pageText.heroTied
            : pageText.heroParts)),
        run.samples.length ? [h("h2", {"class": "hero-label"}, pageText.heroSamples),
            sampleList()] : null,
        run.intact === false ? h("p", {"class": "sorry", role: "alert"}, pageText.damaged) : null,
        h("p", {"class": "note hint"}, rich(pageText.heroHint)),
        printedAt(),
        facts(),
        contentsList(),
        h("p", {"class": "note"}, run.withheld ? pageText.withheld : pageText.contains,
            " Made by ", h("code", null, run.command), "."));
}
