// The end, first part: one document flowing through all stages, every number a cell.
import {roving} from "./charts.js";
import {figure, h, num, scroller, voices} from "./kit.js";
import {surprises} from "./loss.js";
import {live} from "./live.js";
import {
    colourCell, fill, largestOf, letter, nodeRef, positionIn, positions, rowOf, shortText,
} from "./pictures.js";
import {squares} from "./schedule.js";
import {textEnd} from "../text/end.js";

const MOST_CELLS_SHOWN = 4800;

/** The rows of the picture: [field, name], from top to bottom. */
function flowStages({n_layer: layers, ...config}) {
    const names = {...textEnd.flowStages};
    names.hidden = squares(config) ? names.squared : names.hidden;
    const list = ["embedded", "x0"].map((field) => [field, names[field]]);
    for (let i = 0; i < layers; i++) {
        for (const part of ["attention", "attn_out", "x_mid", "hidden", "mlp_out", "x"]) {
            list.push([`layer${i}.${part}`, names[part] + (layers > 1 ? ` ${i}` : "")]);
        }
    }
    return [...list, ["logits", names.logits], ["probabilities", names.probabilities]];
}

/** The numbers of one tile: values, references, how many columns. */
function tileNumbers(picture, name, t, step) {
    const field = picture.fields[name];
    if (!name.endsWith("attention")) {
        const {data, ref} = rowOf(picture, name, t, step);
        return {data, ref, columns: Math.ceil(Math.sqrt(data.length))};
    }
    const [heads, n] = field.shape;
    const places = Array.from({length: heads * n}, (_, i) =>
        (Math.floor(i / n) * n + t) * n + i % n);
    return {data: Float64Array.from(places, (i) => field.data[i]),
        ref: (i) => nodeRef(step, field.ids[places[i]]), columns: n};
}

function flowTile(picture, name, label, t, step, limit) {
    const {data, ref, columns} = tileNumbers(picture, name, t, step);
    const cells = Array.from(data, (value, i) => colourCell((attributes) => h("i",
        attributes), value, ref(i), limit, `${label}, position ${t}, ${i}`));
    const tile = h("div", {"class": "tile" + (name.endsWith("attention") ? " meets" : "")}, cells);
    tile.style.setProperty("--columns", columns);
    return {tile, cells};
}

/** Which positions fit, around the chosen one. */
function flowWindow(picture, config, at) {
    const {n_embd: c, n_layer: layers, vocab_size: v, n_head: heads} = config;
    const each = 2 * c + layers * (8 * c + heads * picture.n) + 2 * v;
    const shown = Math.min(picture.n, Math.max(1, Math.floor(MOST_CELLS_SHOWN / each)));
    const from = Math.min(picture.n - shown, Math.max(0, at - Math.floor(shown / 2)));
    return {from, shown};
}

function flowRow(label, cells, className = "") {
    return h("div", {"class": "flow-row " + className},
        h("span", {"class": "flow-label"}, label), cells);
}

function flowPicture(context, picture, state) {
    const {run} = context;
    const at = positionIn(picture, state);
    const {from, shown} = flowWindow(picture, run.config, at);
    const places = Array.from({length: shown}, (_, i) => from + i);
    const all = [];
    const stages = flowStages(run.config).map(([name, label]) => {
        const limit = largestOf(...places.map((t) => tileNumbers(picture, name, t, state.step)
            .data.filter((x) => !Number.isNaN(x))));
        return flowRow(label, places.map((t) => {
            const {tile, cells} = flowTile(picture, name, label, t, state.step, limit);
            all.push(...cells.filter((cell) => cell.hasAttribute("data-ref")));
            return tile;
        }), name.endsWith("attention") ? "meeting" : "");
    });
    const list = surprises(picture, state.step);
    const names = textEnd.flowStages;
    const grid = h("div", {"class": "flow", role: "group", "aria-label": textEnd.title},
        flowRow(names.letter, places.map((t) => h("span", {"class": t === at ? "chosen" : null},
            letter(picture.tokens[t], run))), "flow-letters"),
        stages,
        flowRow(names.target, places.map((t) => letter(list[t].target, run)), "flow-letters"),
        flowRow(names.p, places.map((t) => num(list[t].p, list[t].pRef, {digits: 2}))),
        flowRow(names.losses, places.map((t) => num(list[t].loss, list[t].ref, {digits: 2}))));
    grid.style.setProperty("--columns", shown);
    grid.classList.toggle("dense", shown > 8);
    roving(grid, all, 1);
    const cut = shown < picture.n ? fill(textEnd.flowCut, {from, to: from + shown - 1,
        n: picture.n}) + " " : "";
    return h("div", {"class": "stack"}, positions(context, picture),
        scroller(h("div", {"class": "flow-frame", tabindex: "0", role: "region",
            "aria-label": textEnd.flowFrame}, grid)),
        h("p", {"class": "caption"}, cut + textEnd.flowMean + " " + fill(textEnd.flowCount,
            {shown: all.length.toLocaleString("en")})));
}

/** The figure with the whole picture. */
export function flowFigure(context) {
    const {ask} = context;
    const title = h("span", null);
    const show = live(context, ["step", "document", "position"], ({step, document: d}) =>
        Promise.all([ask("document", step, d), ask("step", step)]), ([picture, step], state) => {
        title.textContent = fill(textEnd.flowTitle, {step: state.step,
            document: shortText(step.documents[state.document], 24)});
        return flowPicture(context, picture, state);
    });
    title.textContent = fill(textEnd.flowTitle, {step: context.state.step,
        document: textEnd.flowDocument});
    return [voices(textEnd.flowPlain, textEnd.flowTechnical), figure(title, show)];
}
