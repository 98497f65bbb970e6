// Act 3, second part: what a position looks at, head by head, and how the weights come about.
import {heat} from "./charts.js";
import {choice, derived, fillIn, h, num, segmented, table, voices} from "./kit.js";
import {figure} from "./kit.js";
import {live} from "./live.js";
import {printed} from "./python.js";
import {
    fill, letter, letterName, nodeRef, positionIn, positions, largestOf, readsAndPredicts, sentence,
    strip,
} from "./pictures.js";
import {text3} from "../text/act3.js";

const MOST_WRITTEN = 10; // columns whose cells have room for their numbers
const KEYS = ["step", "document", "position", "head", "layer"];

/** The chosen head and layer; the URL may ask for some that this model lacks. */
export function headIn(run, state) {
    return Math.min(run.config.n_head - 1, Number(state.head) || 0);
}

export function layerIn(run, state) {
    return Math.min(run.config.n_layer - 1, Number(state.layer) || 0);
}

/** The index of (head, t, u) in a field of shape (H, n, n). */
function cellOf(n, head, t, u) {
    return (head * n + t) * n + u;
}

/** Choice of layer (if there are several) and of head; kept in the state. */
export function headPicker(context) {
    const {run, state, set, subscribe} = context;
    const {n_layer: layers, n_head: heads} = run.config;
    const make = (name, count, value) => (count <= 8 ? segmented : choice)({
        label: name, value, options: Array.from({length: count}, (_, i) => [i, `${name} ${i}`]),
        onPick: (i) => set({[name]: Number(i)}),
    });
    const layer = layers > 1 ? make("layer", layers, layerIn(run, state)) : null;
    const head = heads > 1 ? make("head", heads, headIn(run, state)) : null;
    subscribe(() => {
        layer?.set(layerIn(run, state));
        head?.set(headIn(run, state));
    }, ["layer", "head"]);
    return h("div", {"class": "row pickers"}, layer, head);
}

function columnNames(picture, run, count) {
    return Array.from({length: count}, (_, u) => letterName(picture.tokens[u], run));
}

function narrow(columns, content) {
    const place = h("div", {"class": "narrow"}, content);
    place.style.setProperty("--columns", columns);
    return place;
}

/** A weight between 0 and 1 as it fits into a cell: ".25", "1". */
function share(weight) {
    return weight.toFixed(2).replace(/^0/, "").replace(/^\.00$/, "0").replace(/\.00$/, "");
}

/** Each head's weights at the chosen position. */
function headRows(context, picture, state) {
    const {run} = context;
    const at = positionIn(picture, state);
    const field = picture.fields[`layer${layerIn(run, state)}.attention`];
    const {n} = picture;
    return h("div", null,
        sentence(text3.attentionHeads, {position: String(at),
            letter: readsAndPredicts(picture, at, run)}, {"class": "above"}),
        narrow(at + 1, heat({
            rows: run.config.n_head, columns: at + 1, scale: "sequential", limit: 1,
            label: "attention of each head", numbers: at < MOST_WRITTEN, pale: true,
            [at < MOST_WRITTEN ? "text" : "hint"]: (a, u) => share(field.data[cellOf(n, a, at, u)]),
            rowLabels: Array.from({length: run.config.n_head}, (_, a) => `head ${a}`),
            columnLabels: columnNames(picture, run, at + 1),
            value: (a, u) => field.data[cellOf(n, a, at, u)],
            ref: (a, u) => nodeRef(state.step, field.ids[cellOf(n, a, at, u)]),
            marked: (a) => run.config.n_head > 1 && a === headIn(run, state),
        })));
}

/** One head, all positions: the lower triangle. */
function triangle(context, picture, state) {
    const {run} = context;
    const head = headIn(run, state);
    const at = positionIn(picture, state);
    const field = picture.fields[`layer${layerIn(run, state)}.attention`];
    const {n} = picture;
    const names = columnNames(picture, run, n);
    return h("div", null,
        sentence(fill(text3.attentionGrid, {head}), {}, {"class": "above"}),
        heat({
            rows: n, columns: n, scale: "sequential", limit: 1, pale: true,
            label: `attention of head ${head}`,
            rowLabels: names.map((name, t) => `${t} ${name}`), columnLabels: names,
            [n <= MOST_WRITTEN ? "text" : "hint"]: (t, u) =>
                share(field.data[cellOf(n, head, t, u)]),
            value: (t, u) => field.data[cellOf(n, head, t, u)],
            ref: (t, u) => u > t ? null : nodeRef(state.step, field.ids[cellOf(n, head, t, u)]),
            marked: (t, u) => t === at && u <= t,
        }));
}

/** The vectors of one head: q of the position, k of all that it sees. */
function headVectors(picture, layer, head, at, dim) {
    const part = (name, t) => {
        const field = picture.fields[`layer${layer}.${name}`];
        const from = t * field.shape[1] + head * dim;
        return {data: field.data.subarray(from, from + dim),
            ids: field.ids.subarray(from, from + dim)};
    };
    return {q: part("q", at), keys: Array.from({length: at + 1}, (_, u) => part("k", u))};
}

function weightBar(value) {
    const bar = h("i", {"class": "mini-bar", "aria-hidden": "true"});
    bar.style.setProperty("--size", (100 * value).toFixed(1) + "%");
    return bar;
}

/** From q and k to the weights, a row for each position that is looked at. */
function scoreTable(context, picture, state) {
    const {ask, run} = context;
    const {step} = state;
    const [head, layer, at] = [headIn(run, state), layerIn(run, state),
        positionIn(picture, state)];
    const dim = run.config.n_embd / run.config.n_head;
    const {q, keys} = headVectors(picture, layer, head, at, dim);
    const limit = largestOf(q.data, ...keys.map((k) => k.data));
    const field = (name) => picture.fields[`layer${layer}.${name}`];
    const cell = (u) => cellOf(picture.n, head, at, u);
    const number = (name, u) => num(field(name).data[cell(u)],
        nodeRef(step, field(name).ids[cell(u)]));
    const exps = keys.map((_, u) => {
        const place = h("span", {"class": "late"});
        fillIn(place, ask("node", step, field("attention").ids[cell(u)]), ({children}) =>
            num(children[0].data, nodeRef(step, children[0].id)));
        return place;
    });
    const rows = keys.map((k, u) => [letter(picture.tokens[u], run),
        strip(k.data, (i) => nodeRef(step, k.ids[i]), limit, `k of position ${u}`),
        number("dots", u), number("scores", u), exps[u],
        h("span", {"class": "weight-cell"}, weightBar(field("attention").data[cell(u)]),
            number("attention", u))]);
    const root = Math.sqrt(dim);
    const heads = text3.attentionHeaded.map((name) => fill(name, {dim}));
    return h("div", null,
        sentence(fill(text3.attentionSteps, {head, position: at, dim}),
            {root: derived(root, `sqrt(${dim})`,
                {python: () => printed(`math.sqrt(${dim})`)})}, {"class": "above"}),
        h("div", {"class": "query"}, h("span", null, `q of position ${at} `,
            letter(picture.tokens[at], run)),
        strip(q.data, (i) => nodeRef(step, q.ids[i]), limit, `q of position ${at}`)),
        table(heads, rows, {label: "from q and k to weights", "class": "scores"}));
}

/** The figure about attention. */
export function attentionFigure(context) {
    const {ask, run} = context;
    const values = {heads: run.config.n_head};
    const show = live(context, KEYS, ({step, document: d}) => ask("document", step, d),
        (picture, state) => h("div", {"class": "stack wide"}, positions(context, picture),
            h("div", {"class": "side-by-side"}, headRows(context, picture, state),
                triangle(context, picture, state)),
            scoreTable(context, picture, state)));
    return [
        voices(fill(text3.attentionPlain, values), text3.attentionTechnical),
        figure(text3.attentionTitle, h("div", {"class": "stack"}, headPicker(context), show)),
    ];
}
