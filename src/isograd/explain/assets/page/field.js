// All weights of the model in one picture: a pixel each, a column for each n_embd of them.
import {h, num, replace} from "./kit.js";
import {ask, run, set, state, subscribe} from "./state.js";

const GAP = 2;

/** Names and shapes in the order in which the weights are drawn. */
export function weightShapes({vocab_size: v, block_size: t, n_embd: c, n_layer: layers}) {
    const shapes = [["wte", v, c], ["wpe", t, c], ["lm_head", v, c]];
    for (let i = 0; i < layers; i++) {
        for (const name of ["wq", "wk", "wv", "wo"]) {
            shapes.push([`layer${i}.attn_${name}`, c, c]);
        }
        shapes.push([`layer${i}.mlp_fc1`, 4 * c, c], [`layer${i}.mlp_fc2`, c, 4 * c]);
    }
    return shapes;
}

/** The matrices side by side: where each begins, and all their columns. */
function plan() {
    const high = run.config.n_embd;
    let x = 0;
    const parts = weightShapes(run.config).map(([name, rows, columns]) => {
        const part = {name, rows, columns, x, wide: rows * columns / high};
        x += part.wide + GAP;
        return part;
    });
    return {parts, high, wide: x - GAP};
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
function paint(canvas, {parts, high, wide}, matrices) {
    const [plus, minus, none] = ["--plus", "--minus", "--sunk"].map(colour);
    const pen = canvas.getContext("2d");
    const image = pen.createImageData(wide, high);
    const limit = 0.6 * matrices.reduce((most, matrix) => matrix.reduce((a, x) =>
        Math.max(a, Math.abs(x)), most), 1e-9);
    parts.forEach((part, p) => matrices[p].forEach((value, i) => {
        const at = 4 * (part.x + Math.floor(i / high) + wide * (i % high));
        const strength = Math.min(1, Math.abs(value) / limit) ** 0.8;
        const hue = value < 0 ? minus : plus;
        for (let c = 0; c < 3; c++) {
            image.data[at + c] = none[c] + (hue[c] - none[c]) * strength;
        }
        image.data[at + 3] = 255;
    }));
    pen.putImageData(image, 0, 0);
}

/** The picture, which a click or Enter opens at the weight below. */
export function weightField() {
    const layout = plan();
    const canvas = h("canvas", {width: layout.wide, height: layout.high, tabindex: "0",
        role: "application",
        "aria-label": "All weights, a pixel each; arrow keys move, Enter opens"});
    const line = h("p", {"class": "readout", "aria-live": "polite"});
    const now = {matrices: null, part: 0, i: 0, turn: 0};
    const place = () => {
        const part = layout.parts[now.part];
        return [part.name, Math.floor(now.i / part.columns), now.i % part.columns];
    };
    const say = () => {
        if (now.matrices) {
            const [name, row, column] = place();
            replace(line, `${name}[${row}][${column}] after step ${state.step}: `,
                num(now.matrices[now.part][now.i], `weight/${state.step}/${name}/${row}/${
                    column}/after`));
        }
    };
    const find = (event) => {
        const box = canvas.getBoundingClientRect();
        const x = Math.floor((event.clientX - box.left) / box.width * layout.wide);
        const y = Math.floor((event.clientY - box.top) / box.height * layout.high);
        const p = layout.parts.findIndex((part) => x >= part.x && x < part.x + part.wide);
        if (p >= 0 && y >= 0 && y < layout.high) {
            Object.assign(now, {part: p, i: (x - layout.parts[p].x) * layout.high + y});
            say();
        }
        return p >= 0;
    };
    const open = () => set({at: `weight/${state.step}/${place().join("/")}/after`}, {push: true});
    const move = (by) => {
        const sizes = layout.parts.map((part) => part.rows * part.columns);
        let [p, i] = [now.part, now.i + by];
        p += i < 0 ? -1 : i >= sizes[p] ? 1 : 0;
        if (sizes[p] !== undefined) {
            i = i < 0 ? i + sizes[p] : p > now.part ? i - sizes[now.part] : i;
            Object.assign(now, {part: p, i});
            say();
        }
    };
    canvas.addEventListener("pointermove", find);
    canvas.addEventListener("click", (event) => find(event) && open());
    canvas.addEventListener("keydown", (event) => {
        const moves = {ArrowUp: -1, ArrowDown: 1, ArrowLeft: -layout.high, ArrowRight: layout.high};
        if (event.key in moves) {
            event.preventDefault();
            move(moves[event.key]);
        } else if (event.key === "Enter") {
            open();
        }
    });
    const show = async () => {
        now.turn += 1;
        const {turn} = now;
        const answers = await Promise.all(layout.parts.map(({name}) =>
            ask("matrix", name, state.step)));
        if (turn === now.turn) {
            now.matrices = answers.map((answer) => answer.after);
            paint(canvas, layout, now.matrices);
            say();
        }
    };
    subscribe(show, ["step", "theme"]);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
    show().catch((error) => replace(line, error.message));
    return h("div", {"class": "weight-field"}, h("div", {"class": "weight-field-inner"}, canvas,
        fieldNames(layout)), line);
}

function fieldNames({parts, wide}) {
    return h("p", {"class": "field-names", "aria-hidden": "true"}, parts.map((part, p) => {
        const name = h("span", null, part.name.replace(/^layer\d+\.(attn|mlp)_/, ""));
        const width = part.wide + (p < parts.length - 1 ? GAP : 0);
        name.style.width = (100 * width / wide).toFixed(3) + "%";
        return name;
    }));
}
