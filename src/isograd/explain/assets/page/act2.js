// Act 2, one number: slopes, descent, the graph, its operations, and relu's gate.
import {
    act, fillIn, figure, h, num, question, replace, rich, table, tokenText, voices, whenSeen,
} from "./kit.js";
import {heat, linePlot} from "./charts.js";
import {rollingBalls, tangent} from "./curves.js";
import {graphWidget} from "./graph.js";
import {isLong} from "./pictures.js";
import {printed} from "./python.js";
import {squares} from "./schedule.js";
import {ask, run, set, state, subscribe} from "./state.js";
import {text2} from "../text/act2.js";

/** The chosen document and position, within what there is. */
async function chosenPlace() {
    const {step} = state;
    const answer = await ask("step", step);
    const d = Math.min(state.document, answer.tokens.length - 1);
    const picture = await ask("document", step, d);
    return {step, picture, position: Math.min(state.position, picture.n - 1)};
}

/** A real node of each operation: from the chosen position's surprise down to an exp. */
async function examples({step, picture, position}) {
    const {fields, n} = picture;
    const node = (id) => ask("node", step, id);
    const log = await node((await node(fields.losses.ids[position])).children[0].id);
    const p = await node(log.children[0].id);
    const [e, inverse] = await Promise.all(p.children.map((child) => node(child.id)));
    const width = fields.logits.ids.length / n;
    const hidden = fields["layer0.relu"] ?? fields["layer0.hidden"];
    const [sum, gate] = await Promise.all([node(fields.logits.ids[position * width]),
        node(hidden.ids[position * hidden.ids.length / n])]);
    return {"+": sum, "\u00d7": p, "**": inverse, log, exp: e, relu: gate};
}

const RULES = {
    "+": ["a + b", "1 and 1"], "\u00d7": ["a \u00d7 b", "b and a"],
    "**": ["x\u207f", "n x\u207f\u207b\u00b9"], log: ["ln x", "1 / x"],
    exp: ["e\u02e3", "e\u02e3, itself"], relu: ["max(0, x)", "1 if x > 0, else 0"],
};

function operationTable(step, found) {
    return table(["", "result", "local gradients", "in this step", "its local gradients"],
        Object.entries(RULES).map(([sign, [result, local]]) => [sign, result, local,
            num(found[sign].data, `node/${step}/${found[sign].id}/data`),
            found[sign].children.map((child, j) => [j ? ", " : "",
                num(child.local, `node/${step}/${found[sign].id}/local/${j}`)])]),
        {"class": "operations", label: "Operations and their local gradients"});
}

function operationsWidget() {
    const place = h("div", null);
    const show = () => fillIn(place, chosenPlace().then(async (chosen) =>
        operationTable(chosen.step, await examples(chosen))), (content) => content);
    whenSeen(place, () => {
        show();
        subscribe(show, ["step", "document", "position"]);
    });
    return place;
}

function gate({step, picture, position}, layer) {
    const before = picture.fields[`layer${layer}.hidden_pre`];
    const size = before.data.length / picture.n;
    const at = (i) => position * size + i;
    const columns = Math.min(size, 16);
    const unit = (r, c) => r * columns + c;
    const isOpen = (r, c) => before.data[at(unit(r, c))] > 0;
    const open = Array.from({length: size}, (_, i) => before.data[at(i)]).filter((x) => x > 0);
    return [h("p", null, `${open.length} of ${size} units are open`, picture.n > 1
        ? ` at position ${position}, which reads ${tokenText(picture.tokens[position], run.chars)}`
        : "", run.config.n_layer > 1 ? `, layer ${layer}.` : "."),
    heat({rows: Math.ceil(size / columns), columns, pale: true,
        label: "Hidden units before relu", value: (r, c) => unit(r, c) < size
            ? before.data[at(unit(r, c))] : NaN,
        ref: (r, c) => unit(r, c) < size
            ? `node/${step}/${before.ids[at(unit(r, c))]}/data` : null,
        text: (r, c) => String(unit(r, c)), marked: isOpen,
        name: (r, c) => `unit ${unit(r, c)}, ${isOpen(r, c) ? "open" : "shut"}`})];
}

function gateWidget() {
    const place = h("div", null);
    const show = () => fillIn(place, chosenPlace(), (chosen) =>
        Array.from({length: run.config.n_layer}, (_, layer) => gate(chosen, layer)));
    whenSeen(place, () => {
        show();
        subscribe(show, ["step", "document", "position"]);
    });
    return place;
}

/** The share of step i + 1 as the two numbers it is made of. */
function openUnits(shares, i) {
    const {n_embd: width, n_layer: layers, block_size: block} = run.config;
    const {batch_size: size} = run.options;
    const read = Array.from({length: size}, (_, b) => run.order[(i * size + b) % run.order.length])
        .map((index) => Math.min(block, [...run.texts[run.textAt.indexOf(index)]].length + 1));
    const all = read.reduce((sum, n) => sum + n, 0) * 4 * width * layers;
    return `${Math.round(shares[i] * all)} / ${all}`;
}

function sharesWidget() {
    const place = h("div", null);
    whenSeen(place, () => fillIn(place, ask("reluShares"), (shares) => {
        const plot = linePlot({label: "Share of open hidden units over the steps", xLabel: "step",
            height: 180, domain: [0, 1], at: state.step - 1, marks: [{x: state.step}],
            series: [{y: shares, ref: () => "derived", formula: (i) => "open hidden units / all " +
                `hidden units of step ${i + 1} = ${openUnits(shares, i)}`,
            python: (i) => printed(openUnits(shares, i))}],
            onPick: (i) => set({step: i + 1})});
        subscribe(() => {
            plot.mark([{x: state.step}]);
            plot.move(state.step - 1);
        }, ["step"]);
        return plot;
    }), isLong(run));
    return place;
}

function gateQuestion() {
    const place = h("div", null);
    const show = () => chosenPlace().then(({step, picture, position}) => {
        const before = picture.fields["layer0.hidden_pre"];
        const size = before.data.length / picture.n;
        const unit = (step * 7 + position * 3) % size;
        const value = before.data[position * size + unit];
        const options = [text2.all, text2.none];
        replace(place, question({ask: rich(text2.ask, {unit: String(unit),
            value: num(value, `node/${step}/${before.ids[position * size + unit]}/data`)}),
        options, check: (answer) => ({right: (answer === text2.all) === (value > 0),
            say: value > 0 ? text2.open : text2.shut})}));
    });
    whenSeen(place, () => {
        show();
        subscribe(show, ["step", "document", "position"]);
    });
    return place;
}

/** Act 2. */
export function act2() {
    return act("act2", "Act 2", text2.title, text2.lead,
        voices(text2.slopePlain, text2.slopeTechnical),
        figure(text2.slopeTitle, tangent(), text2.slopeCaption),
        voices(text2.ballPlain, text2.ballTechnical),
        figure(text2.ballTitle, rollingBalls(), text2.ballCaption),
        voices(text2.graphPlain, text2.graphTechnical),
        figure(text2.graphTitle, graphWidget(), text2.graphCaption),
        voices(text2.tablePlain, text2.tableTechnical),
        figure(text2.tableTitle, operationsWidget(), text2.tableCaption),
        voices(text2.gatePlain, squares(run.config)
            ? [text2.gateTechnical, text2.gateSquared] : text2.gateTechnical),
        figure(text2.gateTitle, gateWidget(), text2.gateCaption),
        figure(text2.sharesTitle, sharesWidget()),
        gateQuestion());
}
