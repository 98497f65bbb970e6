// Act 5: new documents, from probabilities and random numbers.
import {bars} from "./charts.js";
import {
    act, button, derived, figure, h, num, question, replace, rich, shortDecimal, slider, textInput,
    tokenText, voices,
} from "./kit.js";
import {openSample} from "./hero.js";
import {live} from "./live.js";
import {
    argmax, fill, knownTexts, largestOf, letter, letterName, shortText, strip,
} from "./pictures.js";
import {literal} from "./python.js";
import {text5} from "../text/act5.js";

const MOST_TOKENS = 32;

/** The state's prefix as tokens, and what of it the model cannot read. */
function prefixOf(context) {
    const {run, state} = context;
    const index = new Map(run.chars.map((char, i) => [char, i]));
    const chars = [...(state.prefix || "")];
    const unknown = [...new Set(chars.filter((char) => !index.has(char)))];
    const {block_size: block, vocab_size: vocab} = run.config;
    const read = chars.filter((char) => index.has(char)).slice(0, block - 1);
    return {tokens: [vocab - 1, ...read.map((char) => index.get(char))], unknown,
        cut: chars.length > block - 1, read: block - 1};
}

function temperatureIn({run, state}) {
    const wanted = state.temperature === "" || state.temperature === undefined
        ? run.options.temperature : Number(state.temperature);
    return Number.isFinite(wanted) ? Math.min(3, Math.max(0, wanted)) : run.options.temperature;
}

function expectations(context, {answer, tokens, temperature}) {
    const {run} = context;
    const {kept: steps} = run;
    const place = `predict/${steps}/${temperature}/${tokens.join("-")}`;
    const ref = (what, token) => `${place}/${what}/${token}`;
    const best = argmax(answer.probabilities);
    const all = Array.from(answer.probabilities, (_, token) => token);
    const many = all.length > MOST_TOKENS;
    const shown = many ? all.sort((a, b) => answer.probabilities[b] - answer.probabilities[a] ||
        a - b).slice(0, 16) : all;
    const items = shown.map((token) => ({label: letterName(token, run), marked: token === best,
        value: answer.probabilities[token], ref: ref("probability", token)}));
    const logits = shown.map((token) => answer.logits[token]);
    return h("div", {"class": "expectations"},
        h("p", {"class": "axis-name"}, temperature === 0 ? "logits"
            : `logits / temperature, ${shortDecimal(temperature, 3)}`),
        strip(logits, (i) => ref("logit", shown[i]), largestOf(logits), "logit"),
        h("p", {"class": "axis-name"}, "probabilities"),
        bars({items, label: "probabilities", layout: "columns", max: Math.max(0.25,
            answer.probabilities[best])}),
        h("p", {"class": "caption"}, [fill(text5.heatCaption, {steps, end: "\u25cf"}),
            run.kept < run.steps ? ` ${text5.heatKept}` : "",
            many ? fill(text5.heatMost, {shown: shown.length, all: all.length}) : "",
            temperature === 0 ? text5.heatTaken : ""].filter(Boolean).join(" ")));
}

function temperatureFigure(context) {
    const {ask, run, set, subscribe} = context;
    const own = run.options.temperature;
    const note = h("p", {"class": "note", role: "status"});
    const input = textInput({label: text5.heatPrefix, value: context.state.prefix || "",
        placeholder: text5.heatStart, onInput: (prefix) => set({prefix})});
    const control = slider({label: text5.heatSlider, min: 0, max: 3, step: 0.05,
        value: temperatureIn(context), format: (t) => shortDecimal(t, 3),
        onInput: (t) => set({temperature: String(t)})});
    const presets = [[0, text5.heatGreedy], [own, fill(text5.heatOwn, {own})],
        [2, text5.heatWild]].map(([t, name]) => button(name, () => set({temperature: String(t)}),
        {"data-temperature": String(t)}));
    const follow = () => {
        const {unknown, cut, read} = prefixOf(context);
        replace(note, unknown.length ? fill(text5.heatUnknown, {letters: unknown.join(" ")}) : "",
            cut ? " " + fill(text5.heatLong, {block: run.config.block_size, read}) : "");
        control.set(temperatureIn(context));
        presets.forEach((preset) => preset.setAttribute("aria-pressed",
            String(Number(preset.dataset.temperature) === temperatureIn(context))));
        if (document.activeElement !== input.input) {
            input.input.value = context.state.prefix || "";
        }
    };
    subscribe(follow, ["prefix", "temperature"]);
    follow();
    const show = live(context, ["prefix", "temperature"], () => {
        const {tokens} = prefixOf(context);
        const temperature = temperatureIn(context);
        return ask("predict", tokens, temperature, run.kept).then((answer) =>
            ({answer, tokens, temperature}));
    }, (answer) => expectations(context, answer));
    return h("div", {"class": "stack"}, input, note, h("div", {"class": "row"}, control,
        h("div", {"class": "row tight"}, presets)), show);
}

/** The chosen sample and letter; the URL may ask for some that this run lacks. */
function drawIn({state}, list) {
    const [i, j] = String(state.sample || "0.0").split(".").map((part) => Number(part) || 0);
    const sample = Math.min(list.length - 1, Math.max(0, i));
    return {i: sample, j: Math.min(list[sample].steps.length - 1, Math.max(0, j))};
}

function ruler(context, step, i, j) {
    const {run} = context;
    const {cumulated, probabilities, token, total} = step;
    const parts = Array.from(probabilities, (p, t) => {
        const part = h("span", {"class": "stick" + (t === token ? " hit" : "")},
            p / total > 0.035 ? letterName(t, run) : null);
        part.style.setProperty("--size", `${(100 * p / total).toFixed(3)}%`);
        return part;
    });
    const pin = h("span", {"class": "pin"}, h("b", null, letterName(token, run)));
    pin.style.setProperty("--at", `${(100 * step.draw).toFixed(3)}%`);
    const ref = `sample/${i}/${j}/`;
    const low = token > 0 ? num(cumulated[token - 1], `${ref}cumulated/${token - 1}`) : "0";
    return h("div", null, h("div", {"class": "ruler", "aria-hidden": "true"}, parts, pin),
        h("div", {"class": "ruler-ends", "aria-hidden": "true"}, h("span", null, "0"),
            h("span", null, "0.5"), h("span", null, "1")),
        h("p", {"class": "said"}, rich(text5.drawPin, {
            draw: num(step.draw, ref + "draw"), hit: derived(step.draw * total,
                `${literal(step.draw)} * ${literal(total)}`),
            total: num(total, `${ref}cumulated/${probabilities.length - 1}`), low,
            high: num(cumulated[token], `${ref}cumulated/${token}`), letter: letter(token, run)})));
}

function likeliest(context, step, i, j) {
    const {run} = context;
    const {cumulated, logits, probabilities, token} = step;
    const order = Array.from(probabilities, (_, t) => t).sort((a, b) =>
        probabilities[b] - probabilities[a] || logits[b] - logits[a] || a - b);
    const shown = order.slice(0, 7);
    const list = shown.includes(token) ? shown : [...shown, token];
    const ref = (what, t) => `sample/${i}/${j}/${what}/${t}`;
    const frame = h("div", {"class": "table-frame", tabindex: "0", role: "region",
        "aria-label": text5.drawTitle});
    const row = (t) => h("tr", {"class": t === token ? "hit" : null},
        h("th", {scope: "row"}, letter(t, run)),
        h("td", null, num(logits[t], ref("logit", t))),
        h("td", null, num(probabilities[t], ref("probability", t))),
        cumulated ? [t - 1, t].map((end) => h("td", null, end < 0 ? "0"
            : num(cumulated[end], ref("cumulated", end)))) : null);
    return replace(frame, h("table", {"class": "likeliest"},
        h("thead", null, h("tr", null, text5.drawHeads.slice(0, cumulated ? 5 : 3)
            .map((head) => h("th", {scope: "col"}, head)))),
        h("tbody", null, list.map(row))));
}

function drawnLetter(context, list) {
    const {run, set} = context;
    const {i, j} = drawIn(context, list);
    const {steps} = list[i];
    const prefix = steps.slice(0, j).map((step) => letterName(step.token, run)).join("");
    return h("div", {"class": "stack"},
        h("div", {"class": "positions", role: "group", "aria-label": text5.drawSample},
            list.map((sample, n) => button(h("bdi", null, shortText(sample.text, 18) ||
                text5.ownEmpty), () => set({sample: `${n}.0`}),
            {"aria-pressed": String(n === i)}))),
        h("div", {"class": "positions", role: "group", "aria-label": text5.drawLetter},
            steps.map((step, n) => h("button", {type: "button", "class": "position",
                "aria-pressed": String(n === j), onclick: () => set({sample: `${i}.${n}`})},
            letter(step.token, run), h("small", null, String(n))))),
        h("p", {"class": "above"}, rich(fill(text5.drawCaption, {which: i + 1, all: list.length,
            number: j, count: steps.length}), {prefix: h("bdi", {"class": "letter"},
            "\u25cf" + prefix), text: h("bdi", {"class": "letter"}, shortText(list[i].text) ||
                text5.ownEmpty)})),
        run.options.temperature === 0 ? h("p", null, text5.drawGreedy)
            : ruler(context, steps[j], i, j),
        likeliest(context, steps[j], i, j),
        h("p", {"class": "caption"}, steps[j].cumulated
            ? fill(text5.drawAll, {own: run.options.temperature, first: [0, 1, run.chars.length]
                .map((token) => tokenText(token, run.chars)).join(" ").replace(/ (?=\S+$)/,
                    " \u2026 ")}) : text5.drawTaken));
}

/** Shows the letter whose number is in the inspector. */
function followInspector({set, state, subscribe}) {
    const follow = () => {
        const [, i, j] = /^sample\/(\d+)\/(\d+)\//.exec(state.at) || [];
        if (i !== undefined) {
            set({sample: `${i}.${j}`});
        }
    };
    subscribe(follow, ["at"]);
    follow();
}

function drawFigure(context) {
    const {ask, run} = context;
    followInspector(context);
    return run.samples.length === 0 ? h("p", null, text5.drawNone)
        : h("div", {"data-drawn": ""}, live(context, ["sample"], () => ask("samples"), (list) =>
            drawnLetter(context, list)));
}

function ownSamples({run}) {
    const known = knownTexts(run);
    const {temperature: own} = run.options;
    const found = run.samples.filter((text) => known.has(text)).length;
    return h("div", null,
        h("p", {"class": "above"}, fill(text5.ownFound, {found, count: run.samples.length})),
        h("ul", {"class": "own"}, run.samples.map((text, i) => h("li", null,
            button(h("bdi", null, shortText(text, 60) || text5.ownEmpty), () => openSample(i),
                {"class": "button link"}),
            known.has(text) ? h("small", null, known.get(text) ? text5.ownRead
                : text5.ownUnread) : null))),
        h("p", {"class": "caption"}, fill(text5.ownTechnical, {own, block: run.config.block_size,
            held: known.size.toLocaleString("en"),
            all: run.data.documents.toLocaleString("en")})));
}

/** Which letter another random number would have picked, as random.choices does it. */
function pickedBy(step, draw) {
    const at = draw * step.total;
    const i = step.cumulated.findIndex((sum) => sum > at);
    return i < 0 ? step.cumulated.length - 1 : i;
}

function drawQuestion(context, list) {
    const {run} = context;
    if (run.options.temperature === 0) {
        return question({ask: text5.questionGreedy, options: ["0", "1", "2"], check: (answer) =>
            ({right: answer === "0", say: text5.questionGreedySay})});
    }
    const {i, j} = drawIn(context, list);
    const step = list[i].steps[j];
    const other = [0.5, 0.25, 0.75, 0.1, 0.9].find((x) => pickedBy(step, x) !== step.token) ?? 0.5;
    const right = pickedBy(step, other);
    const order = Array.from(step.probabilities, (_, t) => t).sort((a, b) =>
        step.probabilities[b] - step.probabilities[a] || a - b).slice(0, 5);
    const tokens = [...new Set([...order.filter((t) => t !== right).slice(0, 3), right])]
        .sort((a, b) => a - b);
    const options = tokens.map((token) => letterName(token, run));
    const bound = (t) => t < 0 ? "0" : num(step.cumulated[t], `sample/${i}/${j}/cumulated/${t}`);
    return question({
        ask: h("span", null, rich(fill(text5.questionAsk, {number: j, other}), {
            sample: h("bdi", {"class": "letter"}, shortText(list[i].text) || text5.ownEmpty),
            letter: letter(step.token, run)})),
        options,
        check: (answer) => {
            const token = tokens[options.indexOf(answer)];
            return {right: token === right, say: rich(fill(token === right ? text5.questionRight
                : text5.questionWrong, {other}), {letter: letter(token, run),
                low: bound(token - 1), high: bound(token)})};
        },
    });
}

export function act5(context) {
    const {ask, run} = context;
    return act("act5", "Act 5", text5.title, text5.lead,
        voices(text5.heatPlain, text5.heatTechnical),
        figure(text5.heatTitle, temperatureFigure(context)),
        voices(text5.drawPlain, fill(text5.drawTechnical, {seed: run.options.seed})),
        figure(text5.drawTitle, drawFigure(context)),
        run.samples.length === 0 ? null
            : figure(text5.ownTitle, ownSamples(context), text5.ownPlain),
        run.samples.length === 0 ? null : live(context, ["sample"], () => ask("samples"),
            (list) => drawQuestion(context, list)));
}
