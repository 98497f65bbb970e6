// Act 4, second part: the life of one weight under Adam, and what moved most in a step.
import {linePlot} from "./charts.js";
import {button, choice, figure, h, num, rich, shortDecimal, table, voices} from "./kit.js";
import {diagramMatrices} from "./diagram.js";
import {live} from "./live.js";
import {fill, isLong, letterName, sentence, telling, weightName, weightRef} from "./pictures.js";
import {literal, printed} from "./python.js";
import {hasPart, rateFormula, scheduleWords} from "./schedule.js";
import {moveSentence} from "./views.js";
import {text4} from "../text/act4.js";

const MOVED = 10;

/** The weight that the state asks for, if this model has it. */
function weightIn(context) {
    const {run, state} = context;
    const parts = String(state.weight).split("/");
    const matrix = diagramMatrices(run.config).find(({name}) => name === parts[0]);
    const [row, column] = [Number(parts[1]), Number(parts[2])];
    const fits = matrix && row >= 0 && row < matrix.rows && column >= 0 &&
        column < matrix.columns && Number.isInteger(row) && Number.isInteger(column);
    return fits ? {name: matrix.name, row, column} : null;
}

/** The chosen weight, or else the one that moved most in the chosen step. */
function chosenWeight(context) {
    const weight = weightIn(context);
    return weight ? Promise.resolve(weight) : context.ask("moved", context.state.step, 1)
        .then(([most]) => ({name: most.name, row: most.row, column: most.column}));
}

function weightPicker(context, weight) {
    const {run, set} = context;
    const list = diagramMatrices(run.config);
    const matrix = list.find(({name}) => name === weight.name);
    const lettered = weight.name === "wte" || weight.name === "lm_head";
    const choose = (changes) => {
        const {name, row, column} = {...weight, ...changes};
        const {rows, columns} = list.find((one) => one.name === name);
        set({weight: `${name}/${Math.min(row, rows - 1)}/${Math.min(column, columns - 1)}`});
    };
    const numbers = (count, text = String) => Array.from({length: count}, (_, i) => [i, text(i)]);
    return h("div", {"class": "row pickers"},
        choice({label: text4.lifeMatrix, value: weight.name, options: list.map(({name}) =>
            [name, name]), onPick: (name) => choose({name})}),
        choice({label: text4.lifeRow, value: weight.row, options: numbers(matrix.rows, (i) =>
            lettered ? `${i} ${letterName(i, run)}` : String(i)), onPick: (row) => choose({row})}),
        choice({label: text4.lifeColumn, value: weight.column, options: numbers(matrix.columns),
            onPick: (column) => choose({column})}));
}

function lifePlots(context, weight, history) {
    const {set, state, subscribe} = context;
    const {name, row, column} = weight;
    const ref = (what) => (i) => weightRef(i + 1, name, row, column, what);
    const g = context.run.options.clip_norm === null ? "grad" : "clipped";
    const changes = history.after.map((after, i) => after - history.before[i]);
    const plot = (label, series, height) => linePlot({label, series, height, at: state.step - 1,
        onPick: (i) => set({step: i + 1})});
    const plots = [
        [text4.lifeWeight, plot(text4.lifeWeight, [{y: history.after, ref: ref("after"),
            "class": "line-0"}], 200)],
        [text4.lifeGrad, plot(text4.lifeGrad, [{name: "g", y: history[g], ref: ref(g),
            "class": "faint"}, {name: "m\u0302", y: history.mHat, ref: ref("mHat"),
            "class": "line-1"}], 170)],
        [text4.lifeRoot, plot(text4.lifeRoot, [{y: history.vHat, ref: ref("vHat"),
            "class": "line-1"}], 170)],
        [text4.lifeChange, plot(text4.lifeChange, [{y: changes, ref: () => "derived",
            formula: (i) => `after \u2212 before = ${shortDecimal(history.after[i], 8)} \u2212 ` +
                `${shortDecimal(history.before[i], 8)} = ${shortDecimal(changes[i])}`,
            python: (i) => printed(`${literal(history.after[i])} - ${literal(history.before[i])}`),
            "class": "line-0"}], 170)],
        [text4.lifeRate, plot(text4.lifeRate, [{y: history.lr, ref: ref("lr"),
            "class": "line-2"}], 170)],
    ];
    const follow = () => {
        plots.forEach(([, one]) => one.move(state.step - 1));
    };
    const stop = subscribe(follow, ["step"]);
    const place = h("div", {"class": "life"}, plots.map(([title, one]) =>
        h("div", null, h("h4", null, title), one)));
    place.stop = stop;
    return place;
}

function lifeNumbers(context, weight, answer, state) {
    const {options} = context.run;
    const {name, row, column} = weight;
    const {beta1, beta2, eps, weight_decay: decay, clip_norm: norm} = options;
    const values = {beta1, beta2, eps, decay, norm, step: state.step,
        rate: rateFormula(options, state.step).text, from: text4.lifeFrom[decay ? 1 : 0]};
    const lines = text4.lifeLines.filter(([what]) => hasPart(options, what));
    return h("div", null, h("h4", null, fill(text4.lifeStep, values)),
        table(["", "", ""], lines.map(([what, sign, says]) => [h("i", null, sign),
            h("span", {"class": "how"}, rich(fill(says, values))),
            num(answer[what], weightRef(state.step, name, row, column, what))]),
        {label: "one step of Adam", "class": "adam"}),
    h("div", {"class": "above"}, moveSentence(state.step, `weight/${state.step}/${name}/${row}/` +
        `${column}`, answer)));
}

function lifeFigure(context) {
    const {ask, run} = context;
    const drawn = {plots: null};
    const top = live(context, ["weight", "step"], () => chosenWeight(context), (weight) =>
        weightPicker(context, weight));
    const plots = live(context, ["weight", "step"], () => chosenWeight(context).then((weight) =>
        ask("history", weight.name, weight.row, weight.column).then((history) =>
            ({weight, history, key: JSON.stringify(weight)}))), ({weight, history, key}) => {
        if (drawn.key !== key) {
            drawn.plots?.stop();
            Object.assign(drawn, {key, plots: lifePlots(context, weight, history)});
        }
        return drawn.plots;
    }, isLong(run));
    const numbers = live(context, ["weight", "step"], ({step}) => chosenWeight(context)
        .then((weight) => ask("weight", weight.name, weight.row, weight.column, step)
            .then((answer) => ({weight, answer}))), ({weight, answer}, state) =>
        lifeNumbers(context, weight, answer, state));
    return h("div", {"class": "stack"}, top, h("div", {"class": "life-place"}, plots, numbers));
}

function movedTable(context, list, state) {
    const {run, set} = context;
    if (list.every(({change}) => change === 0)) {
        return h("p", null, text4.nothing);
    }
    return table(text4.movedHeads, list.map((weight) => {
        const digits = telling(weight.before, weight.after);
        const ref = (what) => weightRef(state.step, weight.name, weight.row, weight.column, what);
        return [button(weightName(weight, run), () => set({weight:
            `${weight.name}/${weight.row}/${weight.column}`}), {"class": "button link"}),
        num(weight.grad, ref("grad"), {digits: 3}), num(weight.before, ref("before"), digits),
        num(weight.after, ref("after"), digits), num(weight.change, ref("change"), {digits: 3})];
    }), {label: "what moved most", "class": "moved"});
}

function movedFigure(context) {
    const {ask, state: {step: first}} = context;
    const title = h("span", null, fill(text4.movedTitle, {step: first}));
    const show = live(context, ["step"], async ({step}) => {
        const [list, {lr}] = await Promise.all([ask("moved", step, MOVED), ask("step", step)]);
        const more = await Promise.all(list.map(({name, row, column}) =>
            ask("weight", name, row, column, step)));
        return {lr, list: list.map((one, i) => ({...one, grad: more[i].grad}))};
    }, ({list, lr}, state) => {
        title.textContent = fill(text4.movedTitle, {step: state.step});
        return h("div", null, movedTable(context, list, state),
            sentence(text4.movedTechnical, {lr: num(lr, `lr/${state.step}`)}));
    });
    return figure(title, h("div", null, h("p", {"class": "above"}, text4.movedPlain), show));
}

/** The figures about single weights. */
export function lifeFigures(context) {
    const {options} = context.run;
    const {beta1, beta2, weight_decay: decay, clip_norm: norm, schedule, warmup} = options;
    const ratio = shortDecimal((1 - beta1) / Math.sqrt(1 - beta2), 3);
    const words = scheduleWords(options);
    const rate = text4.lifeRates[schedule === "constant" ? "constant" : warmup ? "risen" : "down"];
    const technical = [...text4.lifeTechnical, ...norm === null ? [] : [text4.lifeClip],
        ...decay ? [text4.lifeDecay] : [], ...words ? [text4.lifeSchedule] : []];
    return [
        voices(fill(text4.lifePlain, {rate}),
            fill(technical, {beta1, beta2, ratio, decay, norm, words})),
        figure(text4.lifeTitle, lifeFigure(context)),
        movedFigure(context),
    ];
}
