// Act 1, data: the seed's draws, the order of training, and the ids of characters.
import {
    act, fillIn, figure, h, num, question, replace, rich, svg, textInput,
    tokenText, voices, whenSeen,
} from "./kit.js";
import {hexOf} from "../core/numbers.js";
import {ask, run, state, subscribe} from "./state.js";
import {text1} from "../text/act1.js";

const DRAWS = 8;

function seedAfter(seed) {
    return (BigInt(seed) + 1n).toString();
}

/** Draws as dots between 0 and 1, numbered in their order. */
function drawLine(seed, draws) {
    const x = (value) => 8 + 484 * value;
    const dots = Array.from(draws, (value, i) => svg("g", {"class": "draw-dot",
        "data-ref": `draw/${seed}/${i}`, "data-hex": hexOf(value)},
    svg("circle", {cx: x(value), cy: 22, r: 5}),
    svg("text", {x: x(value), y: 8, "text-anchor": "middle"}, String(i + 1))));
    return svg("svg", {"class": "draw-line", viewBox: "0 0 500 34", "aria-hidden": "true"},
        svg("line", {x1: 8, x2: 492, y1: 22, y2: 22}), dots);
}

function drawRow(label, seed, draws, kind) {
    return h("div", {"class": "draw-row " + kind}, h("h4", null, label), drawLine(seed, draws),
        h("p", {"class": "draw-numbers"}, Array.from(draws, (value, i) =>
            num(value, `draw/${seed}/${i}`, {digits: 3}))));
}

function drawsWidget() {
    const {seed} = run.options;
    const place = h("div", {"class": "draws"});
    const another = {seed: seedAfter(seed)};
    const show = () => fillIn(place, Promise.all([ask("draws", seed, DRAWS),
        ask("draws", another.seed, DRAWS)]), ([mine, others]) => [
        drawRow(`Seed ${seed}`, seed, mine, "mine"),
        drawRow(`Seed ${seed}, started again`, seed, mine, "mine"),
        drawRow(`Seed ${another.seed}`, another.seed, others, "other")]);
    const message = h("p", {"class": "note", role: "status"});
    const input = textInput({label: "Another seed", value: another.seed, onInput: (text) => {
        const whole = /^\s*[-+]?\d{1,400}\s*$/.test(text);
        message.textContent = whole ? "" : "A seed is a whole number.";
        if (whole) {
            another.seed = BigInt(text.trim().replace(/^\+/, "")).toString();
            show();
        }
    }});
    whenSeen(place, show);
    return [place, input, message];
}

/** The text of the document that stands at `index` of the file, or null if it is not in here. */
function textAt(index) {
    const at = run.textAt.indexOf(index);
    return at < 0 ? null : run.texts[at];
}

function documentItem(index, note) {
    const text = textAt(index);
    return h("li", null, h("span", {"class": "count"}, note), text === null
        ? h("span", {"class": "soft"}, "not in this page")
        : h("bdi", {"class": "document"}, text.length > 40 ? text.slice(0, 40) + "\u2026" : text));
}

/** The file as a strip, a line for each document that the steps read. */
function fileStrip() {
    const total = run.data.documents;
    const x = (index) => (1000 * (index + 0.5) / total).toFixed(2);
    const all = svg("path", {"class": "read", d: Array.from(run.order, (index) =>
        `M${x(index)},0V40`).join("")});
    const now = svg("path", {"class": "now"});
    const strip = svg("svg", {"class": "file-strip", viewBox: "0 0 1000 40",
        preserveAspectRatio: "none", role: "img", "aria-label":
        "Where in the file the training documents stand"}, all, now);
    const size = run.options.batch_size;
    const show = () => {
        const indices = Array.from({length: size}, (_, b) => run.order[((state.step - 1) * size + b)
            % run.order.length]);
        now.setAttribute("d", indices.map((index) => `M${x(index)},0V40`).join(""));
    };
    subscribe(show, ["step"]);
    show();
    return strip;
}

/** What the validation loss is of, if there is any. */
function heldOut() {
    const {training, documents, judging} = run.data;
    return judging === 0 ? "" : " " + (training < documents ? text1.heldOut : text1.judging)
        .replace("{n}", judging.toLocaleString("en"));
}

function shuffleWidget() {
    const total = run.data.documents;
    const {steps} = run;
    const {batch_size: size} = run.options;
    const seen = new Set(run.order).size;
    const share = num(100 * seen / total, "derived", {digits: 3,
        formula: `100 * ${seen} / ${total}`});
    const count = (n) => n.toLocaleString("en");
    const list = h("ol", {"class": "document-list"});
    const show = () => {
        const first = Math.max(0, Math.min((state.step - 1) * size, run.order.length - 6));
        replace(list, Array.from({length: Math.min(6, run.order.length)}, (_, i) => {
            const at = first + i;
            const item = documentItem(run.order[at], `step ${Math.floor(at / size) + 1}`);
            item.append(h("span", {"class": "from"}, `line ${count(run.order[at] + 1)}`));
            item.classList.toggle("now", Math.floor(at / size) + 1 === state.step);
            return item;
        }));
    };
    subscribe(show, ["step"]);
    show();
    return [fileStrip(), h("p", {"class": "strip-ends"}, h("span", null, "line 1"),
        h("span", null, `line ${count(total)}`)),
    h("div", {"class": "side-by-side"},
        h("div", null, h("h4", null, "How the file begins"), h("ol", {"class": "document-list"},
            Array.from({length: Math.min(6, total)}, (_, i) =>
                documentItem(i, `line ${i + 1}`)))),
        h("div", null, h("h4", null, "How training went"), list)),
    h("p", null, `${count(steps)} step${steps === 1 ? "" : "s"} of ${count(size)} document${
        size === 1 ? "" : "s"} each read `, `${count(seen)} of ${count(total)} documents, `, share,
    "\u2009% of the data.", heldOut())];
}

function tokenBoxes(text, {ids, unknown}) {
    const letters = ["\u25cf", ...Array.from(text), "\u25cf"];
    const boxes = letters.map((letter, i) => h("li", {"class": "token" +
        (ids[i] === -1 ? " unknown" : i === 0 || i === letters.length - 1 ? " edge" : "")},
    h("bdi", {"class": "token-letter"}, letter === " " ? "\u2423" : letter),
    h("span", {"class": "token-id"}, ids[i] === -1 ? "none" : String(ids[i]))));
    const more = boxes.length > 80 ? boxes.splice(79, boxes.length - 80).length : 0;
    return [h("ol", {"class": "tokens", "aria-label": "ids"}, boxes),
        more ? h("p", {"class": "note"}, `${more} more characters are not drawn.`) : null,
        unknown.length ? h("p", {"class": "sorry"}, "The model has never seen ",
            [...new Set(unknown)].slice(0, 12).map((letter, i) => [i ? ", " : "",
                h("bdi", {"class": "letter"}, letter)]), ". It has no id for it.") : null];
}

function tokenizerWidget() {
    const place = h("div", {"class": "token-place", "aria-live": "polite"});
    const show = (text) => fillIn(place, ask("tokenize", text), (answer) =>
        tokenBoxes(text, answer));
    const input = textInput({label: "Your text", value: "", onInput: show});
    const fill = () => ask("step", state.step).then(({documents}) => {
        input.input.value = documents[0].slice(0, 60);
        show(input.input.value);
    });
    whenSeen(place, fill);
    const vocabulary = [...run.chars, "\u25cf"];
    return [input, place, h("details", {"class": "vocabulary"}, h("summary", null,
        `The whole vocabulary: ${vocabulary.length} ids`), h("ol", {"class": "tokens small"},
        vocabulary.slice(0, 2000).map((letter, id) => h("li", {"class": "token"},
            h("bdi", {"class": "token-letter"}, letter === " " ? "\u2423" : letter),
            h("span", {"class": "token-id"}, String(id))))))];
}

function predictionQuestion() {
    const place = h("div", null);
    const show = () => ask("step", state.step).then(({documents, tokens}) => {
        const d = Math.min(state.document, documents.length - 1);
        const n = Math.min(tokens[d].length - 1, run.config.block_size);
        const options = [...new Set([n - 1, n, n + 1].filter((x) => x > 0))].map(String);
        const document = h("bdi", {"class": "letter"}, documents[d].slice(0, 60));
        replace(place, question({ask: rich(text1.ask, {document}), options, check: (answer) => ({
            right: Number(answer) === n,
            say: rich(Number(answer) === n ? text1.right : text1.wrong, {n: String(n),
                block: String(run.config.block_size)})})}));
    });
    subscribe(show, ["step", "document"]);
    whenSeen(place, show);
    return place;
}

/** Act 1. */
export function act1() {
    return act("act1", "Act 1", text1.title, text1.lead,
        voices(text1.plain, text1.technical),
        figure(text1.drawsTitle, drawsWidget(), text1.drawsCaption),
        voices(text1.shufflePlain, text1.shuffleTechnical),
        figure(text1.shuffleTitle, shuffleWidget(), text1.shuffleCaption),
        voices(text1.tokenPlain, text1.tokenTechnical),
        figure(text1.tokenTitle, tokenizerWidget(), text1.tokenCaption),
        predictionQuestion());
}
