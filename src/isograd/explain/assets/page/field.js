// All weights of the model in one picture: a pixel each, a column for each n_embd of them.
import {button, h, num, replace, textInput, tokenText} from "./kit.js";
import {ask, run, set, state, subscribe} from "./state.js";
import {pageText} from "../text/page.js";

const GAP = 2;
const NARROW = matchMedia("(max-width: 640px)");
const COLUMNS = 80; // of a row of matrices, where the screen is narrow

/** Names and shapes in the order in which the weights are drawn. */
export function weightShapes({vocab_size: v, block_size: t, n_embd: c, n_layer: layers,
    tie_weights: tied}) {
    const shapes = [["wte", v, c], ["wpe", t, c], ...tied ? [] : [["lm_head", v, c]]];
    for (let i = 0; i < layers; i++) {
        for (const name of ["wq", "wk", "wv", "wo"]) {
            shapes.push([`layer${i}.attn_${name}`, c, c]);
        }
        shapes.push([`layer${i}.mlp_fc1`, 4 * c, c], [`layer${i}.mlp_fc2`, c, 4 * c]);
    }
    return shapes;
}

/** The matrices side by side, in as many rows as the screen needs. */
function plan() {
    const high = run.config.n_embd;
    const rows = [];
    weightShapes(run.config).forEach(([name, count, columns], index) => {
        const wide = count * columns / high;
        let row = rows[rows.length - 1];
        if (!row || (NARROW.matches && row.wide + wide > COLUMNS)) {
            row = {parts: [], wide: 0};
            rows.push(row);
        }
        row.parts.push({name, index, rows: count, columns, x: row.wide, wide});
        row.wide += wide + GAP;
    });
    const widest = Math.max(...rows.map((row) => row.wide)) - GAP;
    return {rows, parts: rows.flatMap((row) => row.parts), high, wide: widest};
}

function colour(name) {
    const probe = h("i", null);
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const numbers = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
    probe.remove();
    return numbers;
}

/** Paints `matrices` (Float64Arrays, one for each part) by sign and size. */
function paint(canvases, {rows, high, wide}, matrices) {
    const [plus, minus, none] = ["--plus", "--minus", "--sunk"].map(colour);
    const limit = 0.6 * matrices.reduce((most, matrix) => matrix.reduce((a, x) =>
        Math.max(a, Math.abs(x)), most), 1e-9);
    rows.forEach((row, r) => {
        const pen = canvases[r].getContext("2d");
        const image = pen.createImageData(wide, high);
        row.parts.forEach((part) => matrices[part.index].forEach((value, i) => {
            const at = 4 * (part.x + Math.floor(i / high) + wide * (i % high));
            const strength = Math.min(1, Math.abs(value) / limit) ** 0.8;
            const hue = value < 0 ? minus : plus;
            for (let c = 0; c < 3; c++) {
                image.data[at + c] = none[c] + (hue[c] - none[c]) * strength;
            }
            image.data[at + 3] = 255;
        }));
        pen.putImageData(image, 0, 0);
    });
}

/** "wte[4][0], the row of e": where a weight stands. */
export function weightPlace(name, row, column) {
    const letter = name === "wte" || name === "lm_head" ? `, the row of ${
        tokenText(row, run.chars)}` : "";
    return `${name}[${row}][${column}]${letter}`;
}

/** What the picture calls a matrix: its name without the layer. */
function shortName(name) {
    return name.replace(/^layer\d+\.(attn|mlp)_/, "");
}

/**
 * The weight that a text names, "wte[4][0]" or "wte e 0", as {part, i}; null if there is none.
 * A matrix that is named without its layer is that of the first.
 */
function weightNamed(text, parts) {
    const found = /^([\w.]+)[\s,[]+([^\s,\]]+)[\s,\][]+(\d+)\s*\]?$/u.exec(text.trim());
    const names = (name) => [name, name.replace(/^layer\d+\./, ""), shortName(name)];
    const p = found ? parts.findIndex(({name}) => names(name).includes(found[1])) : -1;
    if (p < 0) {
        return null;
    }
    const lettered = ["wte", "lm_head"].includes(found[1]);
    const row = /^\d+$/.test(found[2]) ? Number(found[2]) : lettered
        ? [...run.chars, "\u25cf"].indexOf(found[2].replace("\u2423", " ")) : -1;
    const {rows, columns} = parts[p];
    const column = Number(found[3]);
    return row >= 0 && row < rows && column < columns ? {part: p, i: row * columns + column} : null;
}

function goToWeight(layout, go) {
    const note = h("p", {"class": "note", role: "status"});
    const input = textInput({label: pageText.fieldGo, placeholder: "wte[4][0]", value: "",
        onInput: () => replace(note)});
    return h("form", {"class": "go-to-weight", onsubmit: (event) => {
        event.preventDefault();
        const found = weightNamed(input.input.value, layout().parts);
        replace(note, found ? "" : pageText.fieldNone);
        if (found) {
            go(found);
        }
    }}, input, button("Open", () => {}, {type: "submit"}), note);
}

/** The rows of the picture: a canvas each, with the names of its matrices below. */
function canvasRows(layout) {
    return layout.rows.map((row, r) => {
        const canvas = h("canvas", {width: layout.wide, height: layout.high, "aria-hidden": "true",
            "data-row": r});
        const names = h("p", {"class": "field-names", "aria-hidden": "true"},
            row.parts.map((part) => {
                const name = h("span", null, shortName(part.name));
                name.style.width = (100 * (part.wide + GAP) / layout.wide).toFixed(3) + "%";
                return name;
            }));
        return h("div", {"class": "field-row"}, h("div", {"class": "field-canvas"}, canvas), names);
    });
}

/** Puts the outline around the chosen pixel. */
function outline(mark, frame, layout, now) {
    const part = layout.parts[now.part];
    const row = layout.rows.findIndex(({parts}) => parts.includes(part));
    const share = (x, all) => (100 * x / all).toFixed(3) + "%";
    Object.assign(mark.style, {
        left: share(part.x + Math.floor(now.i / layout.high), layout.wide),
        top: share(now.i % layout.high, layout.high), width: share(1, layout.wide),
        height: share(1, layout.high)});
    const place = frame.querySelectorAll(".field-canvas")[row];
    if (mark.parentNode !== place) {
        place.append(mark);
    }
}

/** What pointer and keys do: find(event) -> {part, i} or null, moved(now, by) likewise. */
function finder(layout) {
    return {
        find: ({target, clientX, clientY}) => {
            const canvas = target.closest(".field-canvas")?.querySelector("canvas");
            if (!canvas) {
                return null;
            }
            const box = canvas.getBoundingClientRect();
            const x = Math.floor((clientX - box.left) / box.width * layout.wide);
            const y = Math.floor((clientY - box.top) / box.height * layout.high);
            const part = layout.rows[canvas.dataset.row].parts.find((one) =>
                x >= one.x && x < one.x + one.wide);
            return part && y >= 0 && y < layout.high
                ? {part: part.index, i: (x - part.x) * layout.high + y} : null;
        },
        moved: ({part, i}, by) => {
            const size = (p) => layout.parts[p].rows * layout.parts[p].columns;
            const j = i + by;
            const p = part + (j < 0 ? -1 : j >= size(part) ? 1 : 0);
            return !layout.parts[p] ? null : {part: p,
                i: j < 0 ? size(p) + j : p > part ? j - size(part) : j};
        },
    };
}

function listenToField(frame, tools, now, choose, open) {
    frame.addEventListener("pointermove", (event) => choose(tools().find(event)));
    frame.addEventListener("click", (event) => choose(tools().find(event)) && open());
    frame.addEventListener("keydown", (event) => {
        const high = run.config.n_embd;
        const by = {ArrowUp: -1, ArrowDown: 1, ArrowLeft: -high, ArrowRight: high}[event.key];
        if (by) {
            event.preventDefault();
            choose(tools().moved(now, by));
        } else if (event.key === "Enter") {
            open();
        }
    });
}

/** The picture; a click or Enter opens the weight that is outlined and named below. */
export function weightField() {
    const frame = h("div", {"class": "weight-field-inner", tabindex: "0", role: "application",
        "aria-label": "All weights, a pixel each; arrow keys move, Enter opens"});
    const mark = h("i", {"class": "pixel-mark"});
    const line = h("p", {"class": "readout", "aria-live": "polite"});
    const now = {layout: null, matrices: null, part: 0, i: 0, turn: 0};
    const place = () => {
        const part = now.layout.parts[now.part];
        return [part.name, Math.floor(now.i / part.columns), now.i % part.columns];
    };
    const say = () => {
        outline(mark, frame, now.layout, now);
        if (now.matrices) {
            replace(line, `${weightPlace(...place())}, after step ${state.step}: `,
                num(now.matrices[now.part][now.i], `weight/${state.step}/${
                    place().join("/")}/after`));
        }
    };
    const choose = (found) => {
        if (found) {
            Object.assign(now, found);
            say();
        }
        return Boolean(found);
    };
    const open = () => set({at: `weight/${state.step}/${place().join("/")}/after`}, {push: true});
    const show = async () => {
        now.turn += 1;
        const {turn} = now;
        const answers = await Promise.all(weightShapes(run.config).map(([name]) =>
            ask("matrix", name, state.step)));
        if (turn === now.turn) {
            now.matrices = answers.map((answer) => answer.after);
            paint(frame.querySelectorAll("canvas"), now.layout, now.matrices);
            say();
        }
    };
    const lay = () => {
        now.layout = plan();
        replace(frame, canvasRows(now.layout));
        show().catch((error) => replace(line, error.message));
    };
    listenToField(frame, () => finder(now.layout), now, choose, open);
    subscribe(show, ["step", "theme"]);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
    NARROW.addEventListener("change", lay);
    lay();
    return h("div", null, h("div", {"class": "weight-field"}, frame), line,
        goToWeight(() => now.layout, (found) => choose(found) && open()));
}
