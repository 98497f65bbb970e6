// Act 3, first part: a letter becomes numbers; all letters as a map and as a table.
import {hexOf, reprOf} from "../core/numbers.js";
import {heat, roving} from "./charts.js";
import {button, computedBy, derived, figure, h, replace, slider, svg, voices} from "./kit.js";
import {live} from "./live.js";
import {printed} from "./python.js";
import {
    alongAxis, fill, frequencies, largestOf, letter, letterName, positionIn, positions,
    principalAxes, rowOf, sentence, weightRef,
} from "./pictures.js";
import {text3} from "../text/act3.js";

const MAP = {width: 640, height: 420, edge: 26, most: 60, frames: 60, pause: 50};
const VOWELS = new Set("aeiou\u0430\u0435\u0451\u0438\u043e\u0443\u044b\u044d\u044e\u044f");

function threeAges(context, [picture, first, now, last], state) {
    const {run} = context;
    const token = picture.tokens[positionIn(picture, state)];
    const {n_embd: width} = run.config;
    const ages = [[first.before, 1, "before"], [now.before, state.step, "before"],
        [last.after, run.kept, "after"]];
    return h("div", null,
        sentence(text3.numbersNow, {letter: letter(token, run), step: String(state.step)},
            {"class": "above"}),
        heat({
            rows: 3, columns: width, label: `row ${token} of wte`,
            rowLabels: ["drawn", `step ${state.step}`, "trained"],
            columnLabels: width > 16 ? null : Array.from({length: width}, (_, c) => c),
            value: (r, c) => ages[r][0][token * width + c],
            ref: (r, c) => weightRef(ages[r][1], "wte", token, c, ages[r][2]),
        }));
}

function theSum(context, picture, state) {
    const at = positionIn(picture, state);
    const token = picture.tokens[at];
    const [wte, wpe, sum, normed] = ["wte", "wpe", "embedded", "x0"].map((name) =>
        rowOf(picture, name, at, state.step));
    const rows = [
        [wte.data, (c) => weightRef(state.step, "wte", token, c, "before")],
        [wpe.data, (c) => weightRef(state.step, "wpe", at, c, "before")],
        [sum.data, sum.ref], [normed.data, normed.ref],
    ];
    return h("div", null,
        sentence(text3.numbersSum, {step: String(state.step)}, {"class": "above"}),
        heat({
            rows: 4, columns: wte.data.length, label: "from letter and position to x",
            rowLabels: [`wte ${letterName(token, context.run)}`, `wpe ${at}`, "sum", "rmsnorm"],
            value: (r, c) => rows[r][0][c], ref: (r, c) => rows[r][1](c),
        }));
}

function letterNumbers(context) {
    const {ask, run} = context;
    return live(context, ["step", "document", "position"], ({step, document: d}) => Promise.all([
        ask("document", step, d), ask("matrix", "wte", 1), ask("matrix", "wte", step),
        ask("matrix", "wte", run.kept),
    ]), (answers, state) => h("div", {"class": "stack"}, positions(context, answers[0]),
        threeAges(context, answers, state), theSum(context, answers[0], state)));
}

/** The tokens that the map shows: all, or the most frequent. */
function shownTokens(run) {
    const all = Array.from({length: run.config.vocab_size}, (_, i) => i);
    if (all.length <= MAP.most) {
        return all;
    }
    const counts = frequencies(run);
    return all.sort((a, b) => counts[b] - counts[a] || a - b).slice(0, MAP.most);
}

/** Where each shown token lies, given a wte and the axes. */
function placesOn(wte, tokens, {mean, axes}, width) {
    return tokens.map((token) => {
        const row = wte.subarray(token * width, (token + 1) * width);
        return axes.map((axis) => alongAxis(row, mean, axis));
    });
}

/** The map's frame: from the axes' numbers to pixels, with room for all ages. */
function mapScale(ages) {
    const all = ages.flat();
    const span = [0, 1].map((i) => {
        const values = all.map((place) => place[i].value);
        const [low, high] = [Math.min(...values), Math.max(...values)];
        return [low, high > low ? high : low + 1];
    });
    const inner = [MAP.width - 2 * MAP.edge, MAP.height - 2 * MAP.edge];
    const scale = Math.min(...inner.map((size, i) => size / (span[i][1] - span[i][0])));
    const middle = span.map(([low, high]) => (low + high) / 2);
    return (place) => [MAP.width / 2 + scale * (place[0].value - middle[0]),
        MAP.height / 2 - scale * (place[1].value - middle[1])];
}

function mapPoint(token, run, className) {
    const name = letterName(token, run);
    const vowel = VOWELS.has(name.toLowerCase());
    return svg("g", {"class": className + (vowel ? " vowel" : "") +
        (name.length > 2 ? " long" : ""), role: "button"},
        svg("circle", {r: 13}), svg("text", {"text-anchor": "middle", dy: "0.35em"}, name));
}

/** The map itself; .show(wte) moves the points. */
function letterMap(run, first, last) {
    const {n_embd: width, vocab_size: rows} = run.config;
    const tokens = shownTokens(run);
    const axes = principalAxes(last, rows, width);
    const start = placesOn(first, tokens, axes, width);
    const scale = mapScale([start, placesOn(last, tokens, axes, width)]);
    const trails = tokens.map(() => svg("line", {"class": "trail"}));
    const points = tokens.map((token) => mapPoint(token, run, "map-point"));
    const line = h("p", {"class": "readout"}, "\u00a0");
    const frame = svg("svg", {"class": "map", viewBox: `0 0 ${MAP.width} ${MAP.height}`,
        role: "group", "aria-label": "letters as a map"}, trails, points);
    const element = h("div", {"class": "map-place"}, frame, line);
    element.show = (wte) => placesOn(wte, tokens, axes, width).forEach((place, i) => {
        const [x, y] = scale(place);
        const [x0, y0] = scale(start[i]);
        points[i].setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
        points[i].place = place;
        points[i].setAttribute("data-ref", "derived");
        points[i].setAttribute("data-hex", hexOf(place[0].value));
        points[i].setAttribute("data-formula", `x: ${place[0].formula()}`);
        computedBy(points[i], place[0]);
        points[i].setAttribute("aria-label", letterName(tokens[i], run));
        for (const [name, value] of Object.entries({x1: x0, y1: y0, x2: x, y2: y})) {
            trails[i].setAttribute(name, value.toFixed(1));
        }
    });
    element.show(first);
    roving(frame, points, 1);
    const tell = (event) => {
        const i = points.indexOf(event.target.closest(".map-point"));
        if (i >= 0) {
            const [x, y] = points[i].place;
            replace(line, letter(tokens[i], run), " x ", derived(x.value, x.formula(), x), ", y ",
                derived(y.value, y.formula(), y));
        }
    };
    frame.addEventListener("pointerover", tell);
    frame.addEventListener("focusin", tell);
    element.axes = axes;
    element.tokens = tokens;
    return element;
}

/** Moves the slider from the first step to the last, once. */
function player(steps, go) {
    const playing = {timer: 0};
    return () => {
        clearTimeout(playing.timer);
        if (matchMedia("(prefers-reduced-motion: reduce)").matches || steps === 1) {
            return go(steps);
        }
        let i = 0;
        const next = () => go(Math.max(1, Math.round(steps * i / MAP.frames))).then(() => {
            i += 1;
            if (i <= MAP.frames) {
                playing.timer = setTimeout(next, MAP.pause);
            }
        });
        return next();
    };
}

function sharePercent({share, values, total}) {
    const [first, second, all] = [...values, total].map(reprOf);
    return derived(100 * share, `100 (\u03bb\u2081 + \u03bb\u2082) / sum of all \u03bb = ${
        (100 * share).toFixed(2)}`, {digits: 3, python: () => printed(total > 0
        ? `100 * ((${first} + ${second}) / ${all})` : "100 * 1")});
}

function mapWithSlider(context, first, last) {
    const {ask, run, state, subscribe} = context;
    const {steps} = run;
    const map = letterMap(run, first, last);
    const now = {step: 0};
    const go = (step) => {
        now.step = step;
        control.set(step);
        return ask("matrix", "wte", step).then(({before, after}) => {
            if (now.step === step) {
                map.show(step === steps ? after : before);
            }
        });
    };
    const control = slider({label: "step", min: 1, max: steps, value: state.step, onInput: go});
    go(state.step);
    subscribe(() => go(state.step), ["step"]);
    const vowels = map.tokens.map((token) => letterName(token, run))
        .filter((name) => VOWELS.has(name.toLowerCase()));
    const caption = [
        vowels.length > 1 ? fill(text3.mapVowels, {vowels: vowels.join(" ")}) : "",
        map.tokens.length < run.config.vocab_size ? fill(text3.mapFewer,
            {shown: map.tokens.length, all: run.config.vocab_size}) : "",
    ].filter(Boolean).join(" ");
    return h("div", null, map, h("div", {"class": "map-controls"}, control,
        button("Play the training", player(steps, go))),
    caption ? h("p", {"class": "caption"}, caption) : null,
    sentence(text3.mapShare, {share: sharePercent(map.axes)}));
}

function wholeTable(context) {
    const {ask, run} = context;
    return live(context, ["step"], ({step}) => ask("matrix", "wte", step), (wte, state) =>
        heat({
            rows: wte.rows, columns: wte.columns, label: "wte",
            rowLabels: Array.from({length: wte.rows}, (_, r) => letterName(r, run)),
            limit: largestOf(wte.before),
            value: (r, c) => wte.before[r * wte.columns + c],
            ref: (r, c) => weightRef(state.step, "wte", r, c, "before"),
        }));
}

/** The three figures about letters. */
export function letters(context) {
    const {ask, run} = context;
    const values = {width: run.config.n_embd};
    const ages = () => Promise.all([ask("matrix", "wte", 1),
        ask("matrix", "wte", run.steps)]);
    return [
        voices(fill(text3.numbersPlain, values), fill(text3.numbersTechnical, values)),
        figure(fill(text3.numbersTitle, values), letterNumbers(context)),
        voices(text3.mapPlain, fill(text3.mapTechnical, values)),
        figure(text3.mapTitle, live(context, [], ages, ([first, last]) =>
            mapWithSlider(context, first.before, last.after))),
        figure(text3.tableTitle, h("div", {"class": "scroll-tall"}, wholeTable(context)),
            text3.tableCaption),
    ];
}
