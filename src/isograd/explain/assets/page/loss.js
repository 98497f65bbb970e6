// Act 4, first part: the four beats of a step, surprise at each position, the losses of all steps.
import {hexOf} from "../core/numbers.js";
import {roundedLog} from "../core/rounded.js";
import {bars, linePlot, roving} from "./charts.js";
import {
    button, derived, figure, h, num, replace, rich, shortDecimal, slider, svg, voices,
} from "./kit.js";
import {live} from "./live.js";
import {literal, meanPython, printed} from "./python.js";
import {
    fill, leastValidation, letterName, lossWindow, nodeRef, positionIn, positions, responsive, runningMean, sentence,
    shortText, telling, weightCount, weightName, weightRef,
} from "./pictures.js";
import {text4} from "../text/act4.js";

function beat(number, title, ...content) {
    return h("li", {"class": "beat"}, h("span", {"class": "beat-number", "aria-hidden": "true"},
        number), h("h4", null, title), content);
}

function picked(context, step, state) {
    const {set, run} = context;
    const {documents} = step;
    return [h("p", null, text4.pickSays), h("p", {"class": "picked"},
        documents.slice(0, 6).map((text, d) => documents.length === 1
            ? h("bdi", {"class": "document"}, shortText(text))
            : button(shortText(text, 16), () => set({document: d}),
                {"aria-pressed": String(d === state.document), dir: "auto"})),
        documents.length > 6 ? h("span", {"class": "note"}, fill(text4.more,
            {more: documents.length - 6})) : null),
    run.options.batch_size === 1 ? null : h("p", {"class": "note"}, text4.pickBatch)];
}

function fourBeats(context, {step, picture, most, weight}, state) {
    const k = state.step;
    const ref = (what) => weightRef(k, most.name, most.row, most.column, what);
    const digits = telling(weight.before, weight.after);
    return h("ol", {"class": "beats"},
        beat("1", text4.pick, picked(context, step, state)),
        beat("2", text4.predict, h("p", null, fill(step.documents.length === 1
            ? text4.predictSays : text4.predictBatch, {n: picture.n, b: step.documents.length})),
            num(step.loss, `loss/${k}`, {"class": "big"})),
        beat("3", text4.blame, h("p", null, rich(text4.blameSays,
            {weight: weightName(most, context.run)})),
            num(weight.grad, ref("grad"), {"class": "big"})),
        beat("4", text4.nudge, h("p", null, text4.nudgeSays),
            h("p", {"class": "nudged"}, num(weight.before, ref("before"), digits), " \u2192 ",
                num(weight.after, ref("after"), digits)),
            h("p", {"class": "note"}, "by ", num(weight.change, ref("change")),
                context.run.options.weight_decay ? ` ${text4.nudgeDecay}` : "")));
}

function stepTurner(context) {
    const {set, state} = context;
    return h("div", {"class": "row"},
        button(text4.earlier, () => set({step: state.step - 1})),
        button(text4.later, () => set({step: state.step + 1})));
}

function loopFigure(context) {
    const {ask, run} = context;
    const title = h("span", null);
    const show = live(context, ["step", "document"], async ({step: k, document: d}) => {
        const [step, picture, [most]] = await Promise.all([ask("step", k), ask("document", k, d),
            ask("moved", k, 1)]);
        const weight = await ask("weight", most.name, most.row, most.column, k);
        return {step, picture, most, weight};
    }, (answer, state) => {
        title.textContent = fill(text4.loopTitle, {step: state.step});
        return fourBeats(context, answer, state);
    });
    title.textContent = fill(text4.loopTitle, {step: context.state.step});
    const weights = weightCount(run.config).toLocaleString("en");
    return [voices(fill(text4.loopPlain, {weights}), text4.loopTechnical),
        figure(title, h("div", {"class": "stack"}, show, stepTurner(context)))];
}

/** p and -log p at each position of the chosen document. */
export function surprises(picture, step) {
    const {losses, probabilities} = picture.fields;
    const vocabulary = probabilities.shape[1];
    return Array.from({length: picture.n}, (_, t) => {
        const target = picture.tokens[t + 1];
        const at = t * vocabulary + target;
        return {t, target, p: probabilities.data[at], pRef: nodeRef(step, probabilities.ids[at]),
            loss: losses.data[t], ref: nodeRef(step, losses.ids[t])};
    });
}

function surpriseBars(context, picture, state) {
    const {run} = context;
    const list = surprises(picture, state.step);
    const at = positionIn(picture, state);
    return h("div", null,
        sentence(fill(text4.surpriseBars, {step: state.step, n: picture.n}) +
            (run.options.batch_size > 1 ? text4.surpriseBatch : ""), {}, {"class": "above"}),
        bars({label: "surprise at each position", items: list.map((one) => ({
            label: h("span", null, letterName(picture.tokens[one.t], run), "\u2009\u2192\u2009",
                h("b", null, letterName(one.target, run))),
            value: one.loss, ref: one.ref, marked: one.t === at,
            note: h("span", null, "p = ", num(one.p, one.pRef, {digits: 3})),
        }))}));
}

const CURVE = {height: 300, left: 40, right: 14, top: 14, bottom: 38};

function curveScale(width, top) {
    const {height, left, right, top: above, bottom} = CURVE;
    return {px: (p) => left + p * (width - left - right),
        py: (y) => above + (top - Math.min(y, top)) / top * (height - above - bottom)};
}

function curveAxes(width, top, {px, py}) {
    const ticks = Array.from({length: Math.floor(top) + 1}, (_, y) => y);
    return svg("g", {"class": "axes", "aria-hidden": "true"},
        ticks.map((y) => [svg("line", {x1: px(0), x2: px(1), y1: py(y), y2: py(y)}),
            svg("text", {x: px(0) - 8, y: py(y) + 4, "text-anchor": "end"}, String(y))]),
        [0, 0.25, 0.5, 0.75, 1].map((p) => svg("text", {x: px(p), y: CURVE.height - 20,
            "text-anchor": p === 1 ? "end" : "middle"}, String(p))),
        svg("text", {x: px(1), y: CURVE.height - 3, "text-anchor": "end", "class": "axis-label"},
            "probability of the letter that came"));
}

function curvePath(top, {px, py}) {
    const points = Array.from({length: 200}, (_, i) => Math.exp(-top * (1 - i / 199)));
    return svg("path", {"class": "line line-0", d: points.map((p, i) => `${i ? "L" : "M"}` +
        `${px(p).toFixed(1)},${py(-Math.log(p)).toFixed(1)}`).join("")});
}

function curvePoints(list, at, {px, py}, run) {
    const ordered = [...list].sort((a, b) => a.p - b.p);
    const points = ordered.map((one, i) => svg("g", {"class": "curve-point" +
        (one.t === at ? " marked" : ""), role: "button", "data-ref": one.ref,
    "data-hex": hexOf(one.loss), "aria-label": `${letterName(one.target, run)}: ` +
        shortDecimal(one.loss)},
    svg("circle", {cx: px(one.p), cy: py(one.loss), r: 4.5}),
    svg("text", i % 2 ? {x: px(one.p) - 8, y: py(one.loss) + 14, "text-anchor": "end"}
        : {x: px(one.p) + 8, y: py(one.loss) - 6}, letterName(one.target, run))));
    const group = svg("g", null, points);
    roving(group, points, 1);
    return group;
}

function surpriseCurve(context, picture, state) {
    const {run} = context;
    const list = surprises(picture, state.step);
    const at = positionIn(picture, state);
    const top = Math.max(5, Math.ceil(Math.max(...list.map((one) => one.loss))));
    const now = {p: list[at].p};
    const reads = h("p", {"class": "readout"});
    const drawing = responsive((width) => {
        const scale = curveScale(width, top);
        const {px, py} = scale;
        return svg("svg", {"class": "plot", viewBox: `0 0 ${width} ${CURVE.height}`, width,
            height: CURVE.height, role: "group", "aria-label": "-log p"},
        curveAxes(width, top, scale), curvePath(top, scale),
        curvePoints(list, at, scale, run),
        svg("g", {"class": "cross"}, svg("line", {x1: px(now.p), x2: px(now.p), y1: py(0),
            y2: py(-Math.log(now.p))}), svg("line", {x1: px(0), x2: px(now.p),
            y1: py(-Math.log(now.p)), y2: py(-Math.log(now.p))}),
        svg("circle", {cx: px(now.p), cy: py(-Math.log(now.p)), r: 6})));
    });
    const say = (p) => {
        now.p = p;
        const loss = -roundedLog(p);
        replace(reads, rich(text4.surpriseReads, {p: shortDecimal(p, 3), loss: derived(loss,
            `\u2212log(${shortDecimal(p, 6)}) = ${shortDecimal(loss, 6)}`,
            {python: () => printed(`-math.log(${literal(p)})`)})}));
        drawing.redraw();
    };
    const control = slider({label: text4.surpriseSlider, min: 0.005, max: 0.995, step: 0.005,
        value: Math.round(now.p * 200) / 200, format: (p) => p.toFixed(3), onInput: say});
    say(now.p);
    return h("div", null, h("p", {"class": "above"}, text4.surpriseCurve), drawing, control, reads);
}

function surpriseFigure(context) {
    const {ask} = context;
    return [voices(text4.surprisePlain, text4.surpriseTechnical),
        figure(text4.surpriseTitle, live(context, ["step", "document", "position"],
            ({step, document: d}) => ask("document", step, d),
            (picture, state) => h("div", {"class": "stack"}, positions(context, picture),
                h("div", {"class": "side-by-side"}, surpriseBars(context, picture, state),
                    surpriseCurve(context, picture, state)))))];
}

/** The validation losses at their steps, NaN between them. */
function validationSeries({losses, validation}) {
    const series = new Float64Array(losses.length).fill(NaN);
    validation.steps.forEach((step, i) => {
        series[step - 1] = validation.losses[i];
    });
    return series;
}

/** What the validation loss says, in both voices; nothing without one. */
function validationVoices({run}) {
    const {validation, data, options, steps, kept} = run;
    if (validation.steps.length === 0) {
        return null;
    }
    const {step, loss} = leastValidation(validation);
    const ends = text4.validationEnd;
    const count = (n) => n.toLocaleString("en");
    const end = [steps < options.steps ? fill(ends.patience, {patience: options.patience,
        steps: count(steps), planned: count(options.steps)}) : "",
    kept < steps ? fill(ends.best, {step: count(step)}) : ends.last].filter(Boolean).join(" ");
    const values = {judging: count(data.judging), every: count(options.eval_every),
        step: count(step), end};
    return voices(fill(text4.validationPlain, values), h("span", null,
        rich(fill(text4.validationTechnical, values), {best: num(loss, `validation/${step}`)})));
}

function curveOfLosses(context, window, guess) {
    const {run, set, state, subscribe} = context;
    const {losses, config} = run;
    const smooth = runningMean(losses, window);
    const formula = (i) => {
        const from = Math.max(0, i + 1 - window);
        const first = Array.from(losses.subarray(from, Math.min(i + 1, from + 3)), (x) =>
            shortDecimal(x)).join(" + ");
        return `mean of the losses of steps ${from + 1} to ${i + 1} = (${first}` +
            (i + 1 - from > 3 ? " + \u2026" : "") +
            `) / ${i + 1 - from} = ${shortDecimal(smooth[i])}`;
    };
    const {validation} = run;
    const judged = validationSeries(run);
    const {kept, steps} = run;
    const marks = () => [{x: state.step},
        ...kept < steps ? [{x: kept, label: text4.lossKept}] : []];
    const plot = linePlot({
        label: "loss of each step", height: 300, xLabel: "step", at: state.step - 1,
        series: [{name: text4.lossRaw, y: losses, ref: (i) => `loss/${i + 1}`, "class": "faint"},
            {name: fill(text4.lossSmooth, {window}), y: smooth, ref: () => "derived", formula,
                python: (i) => meanPython(losses.subarray(Math.max(0, i + 1 - window), i + 1)),
                "class": "line-0"},
            ...validation.steps.length ? [{name: text4.lossValidation, y: judged,
                ref: (i) => `validation/${i + 1}`, "class": "line-1", dots: true}] : []],
        lines: [{y: guess, label: fill(text4.lossGuess, {vocab: config.vocab_size})}],
        marks: marks(), onPick: (i) => set({step: i + 1}),
    });
    subscribe(() => {
        plot.mark(marks());
        plot.move(state.step - 1);
    }, ["step"]);
    return plot;
}

function lossFigure(context) {
    const {run} = context;
    const {steps} = run;
    const {batch_size: batch} = run.options;
    const vocab = run.config.vocab_size;
    const window = lossWindow(steps);
    const guess = roundedLog(vocab);
    const used = steps * batch;
    const {training: all} = run.data;
    const again = used > all ? fill(text4.lossAgain, {used, all})
        : text4.lossOnce;
    const say = (text) => h("span", null, rich(fill(text, {window, vocab, again}), {guess:
        derived(guess, `log(${vocab}) = ${shortDecimal(guess, 6)}`,
            {python: () => printed(`math.log(${vocab})`)})}));
    return [voices(say(text4.lossPlain), say(text4.lossTechnical)), validationVoices(context),
        figure(fill(text4.lossTitle, {steps: steps.toLocaleString("en")}),
            curveOfLosses(context, window, guess))];
}

/** The figures about guessing and its price. */
export function lossFigures(context) {
    return {loop: loopFigure(context), surprise: surpriseFigure(context),
        curve: lossFigure(context)};
}
