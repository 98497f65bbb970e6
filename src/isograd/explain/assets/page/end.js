// The end: everything in one picture, the sizes of other models, the tiers of isograd.
import {act, derived, figure, h, num, question, rich, shortDecimal, table, voices} from "./kit.js";
import {diagramMatrices} from "./diagram.js";
import {flowFigure} from "./flow.js";
import {reprOf} from "../core/numbers.js";
import {argmax, fill, weightCount} from "./pictures.js";
import {printed} from "./python.js";
import {published, textEnd} from "../text/end.js";

const GRAIN = 2e-5; // kilograms of a grain of rice

function sizeBar(weights) {
    const bar = h("i", {"class": "log-bar", "aria-hidden": "true"});
    bar.style.setProperty("--size", (100 * Math.log10(weights) / 12.5).toFixed(1) + "%");
    return bar;
}

function bigNumber(n) {
    const names = [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"]];
    const [unit, name] = names.find(([size]) => n >= size) || [1, ""];
    return name ? `${Number((n / unit).toPrecision(3))} ${name}` : n.toLocaleString("en");
}

function manyTimes(x) {
    return x < 1e6 ? Math.round(x).toLocaleString("en") : shortDecimal(x, 3);
}

function sizeTable(run) {
    const {n_layer: layers, n_embd: width, n_head: heads, vocab_size: vocab} = run.config;
    const own = weightCount(run.config);
    const rows = [[textEnd.sizeOwn, own, "", layers, width, heads, vocab], ...published]
        .map(([name, weights, paper, ...shape]) => [
            h("span", {"class": "model-name"}, name, paper ? h("small", null, paper) : null),
            h("span", {"class": "model-size"}, bigNumber(weights), sizeBar(weights)),
            paper ? derived(weights / own, `${weights} / ${own}`,
                {text: manyTimes(weights / own)}) : "1",
            ...shape.map((n) => n.toLocaleString("en")),
        ]);
    return table(textEnd.sizeHeads, rows, {label: "sizes of models", "class": "sizes"});
}

function mass(weights) {
    const kilograms = weights * GRAIN;
    return kilograms < 1 ? `${Math.round(1000 * kilograms)} grams`
        : kilograms < 1000 ? `${kilograms.toPrecision(2)} kilograms`
            : `${Math.round(kilograms / 1000).toLocaleString("en")} tonnes`;
}

function duration(microseconds) {
    const units = [[60e6, "min"], [1e6, "s"], [1e3, "ms"], [1, "\u00b5s"]];
    const [size, name] = units.find(([unit]) => microseconds >= unit) || [1, "\u00b5s"];
    return `${shortDecimal(microseconds / size, 3)} ${name}`;
}

function tierTable({times, steps}) {
    const slowest = times ? Math.max(...textEnd.tiers.map(([tier]) => times[tier] || 0)) : 0;
    const bar = (value) => {
        const element = h("i", {"class": "mini-bar", "aria-hidden": "true"});
        element.style.setProperty("--size", (100 * value / slowest).toFixed(2) + "%");
        return h("span", {"class": "bar-room"}, element);
    };
    const rows = textEnd.tiers.map(([tier, compiled]) => {
        const time = times?.[tier];
        const measured = time === undefined ? [] : [
            h("span", {"class": "tier-time"}, bar(time), num(time, `header/times.${tier}`,
                {text: duration(time)})),
            derived(time * steps, `${shortDecimal(time)} \u00b5s \u00d7 ` +
                `${steps} = ${shortDecimal(time * steps)} \u00b5s`,
            {text: duration(time * steps),
                python: () => printed(`${reprOf(time)} * ${steps}`)}),
        ];
        return [h("code", null, tier), h("span", {"class": "how"}, compiled),
            ...times ? measured.length ? measured : ["\u2013", "\u2013"] : []];
    });
    const heads = textEnd.fastHeads.slice(0, times ? 4 : 2)
        .map((head) => fill(head, {steps: steps.toLocaleString("en")}));
    return table(heads, rows, {label: "tiers", "class": "tiers"});
}

function tierFigure(run) {
    const caption = run.times ? textEnd.fastTimed
        : h("span", null, rich(textEnd.fastUntimed, {command: h("code", null,
            `${run.command} --times`)}));
    return figure(textEnd.fastTitle, tierTable(run), caption);
}

function partsQuestion(run) {
    const names = textEnd.questionParts;
    const partOf = {wte: "embeddings", wpe: "embeddings", qkv: "attention", wo: "attention",
        fc1: "mlp", fc2: "mlp", lmHead: "lmHead"};
    const keys = Object.keys(names).filter((key) => key !== "lmHead" || !run.config.tie_weights);
    const counts = keys.map((key) => diagramMatrices(run.config).reduce((sum, matrix) =>
        sum + (partOf[matrix.part] === key ? matrix.rows * matrix.columns : 0), 0));
    const own = weightCount(run.config);
    const best = argmax(counts);
    return question({
        ask: fill(textEnd.questionAsk, {weights: own.toLocaleString("en")}),
        options: keys.map((key) => names[key]),
        check: (answer) => {
            const i = keys.findIndex((key) => names[key] === answer);
            const right = counts[i] === counts[best];
            return {right, say: fill(right ? textEnd.questionRight : textEnd.questionWrong, {
                count: counts[i].toLocaleString("en"),
                share: `${(100 * counts[i] / own).toFixed(0)} %`})};
        },
    });
}

export function theEnd(context) {
    const {run} = context;
    const own = weightCount(run.config);
    const largest = Math.max(...published.map(([, weights]) => weights));
    return act("end", "The end", textEnd.title, textEnd.lead,
        flowFigure(context),
        voices(fill(textEnd.sizePlain, {mass: mass(own), most: mass(largest)}),
            textEnd.sizeTechnical),
        figure(fill(textEnd.sizeTitle, {weights: own.toLocaleString("en")}), sizeTable(run),
            textEnd.sizeNote),
        voices(textEnd.fastPlain, textEnd.fastTechnical),
        tierFigure(run), partsQuestion(run));
}
