// What acts 3 to 5 and the end share: texts with this run's numbers in them, strips of cells, and
// the little mathematics that the page does itself.
import {hexOf} from "../core/numbers.js";
import {bestStep} from "../core/rates.js";
import {roving} from "./charts.js";
import {h, rich, shortDecimal, tokenText} from "./kit.js";
import {rootMeanSquarePython, summed} from "./python.js";

/** `text` (or each text of an array) with the words of `values` in its {places}: still text. */
export function fill(text, values) {
    if (Array.isArray(text)) {
        return text.map((one) => fill(one, values));
    }
    return text.replace(/\{([a-zA-Z\d]+)\}/g, (all, name) => name in values ? values[name] : all);
}

/** A paragraph of text and nodes. */
export function sentence(text, values, attributes) {
    return h("p", attributes || {"class": "caption"}, rich(text, values));
}

/** A token as a little tile of type. */
export function letter(token, run) {
    const end = token >= run.chars.length;
    const text = tokenText(token, run.chars);
    return h("span", {"class": "letter" + (text.length > 2 ? " long" : ""),
        title: end ? "begins and ends a document" : null}, text);
}

/** A token in words, for labels that are text. */
export function letterName(token, run) {
    return tokenText(token, run.chars);
}

/** The chosen position, as far as this document has it. */
export function positionIn(picture, state) {
    return Math.min(state.position, picture.n - 1);
}

/** What a position reads and what it predicts, as tiles: "i -> a". */
export function readsAndPredicts(picture, t, run) {
    return h("span", {"class": "reads"}, letter(picture.tokens[t], run), "\u2009\u2192\u2009",
        letter(picture.tokens[t + 1], run));
}

/** The letters of a document, to choose a position by. */
export function positions(context, picture) {
    const {run, state, set} = context;
    const chosen = positionIn(picture, state);
    return h("div", {"class": "positions", role: "group", "aria-label": "position"},
        Array.from({length: picture.n}, (_, t) => h("button", {
            type: "button", "class": "position", "aria-pressed": String(t === chosen),
            title: `position ${t}: reads ${letterName(picture.tokens[t], run)}, predicts ${
                letterName(picture.tokens[t + 1], run)}`,
            onclick: () => set({position: t}),
        }, letter(picture.tokens[t], run), h("small", null, String(t)))),
    h("span", {"class": "position-says"}, `position ${chosen}: `,
        readsAndPredicts(picture, chosen, run)));
}

/** One cell of a strip or tile: colour by sign and size, reference and bits of its number. */
export function colourCell(make, value, ref, limit, label, classes = "cell") {
    if (Number.isNaN(value) || ref === null) {
        return make({"class": classes + " absent", "aria-hidden": "true"});
    }
    const cell = make({
        "class": `${classes} ${value < 0 ? "minus" : "plus"}`, role: "button", "data-ref": ref,
        "data-hex": hexOf(value), "aria-label": `${label}: ${shortDecimal(value)}`,
    });
    const strength = limit > 0 ? Math.min(1, Math.abs(value) / limit) : 0;
    cell.style.setProperty("--strength", (100 * strength).toFixed(1) + "%");
    return cell;
}

/** A vector as one row of cells: one stop of the tab key, arrows move, Enter opens. */
export function strip(values, ref, limit, label) {
    const cells = Array.from(values, (value, i) => colourCell((attributes) => h("span",
        attributes), value, ref(i), limit, `${label}, ${i}`));
    const row = h("div", {"class": "strip", role: "group", "aria-label": label}, cells);
    row.style.setProperty("--columns", cells.length);
    roving(row, cells.filter((cell) => cell.hasAttribute("data-ref")), cells.length);
    return row;
}

/** Row r of a picture's field, with the references of its numbers. */
export function rowOf(picture, name, r, step) {
    const field = picture.fields[name];
    const width = field.shape[field.shape.length - 1];
    const from = r * width;
    return {
        data: field.data.subarray(from, from + width),
        grad: field.grad.subarray(from, from + width),
        ref: (i, what = "data") => nodeRef(step, field.ids[from + i], what),
    };
}

export function nodeRef(step, id, what = "data") {
    return id < 0 ? null : `node/${step}/${id}/${what}`;
}

export function weightRef(step, name, row, column, what) {
    return `weight/${step}/${name}/${row}/${column}/${what}`;
}

export function largestOf(...vectors) {
    return vectors.reduce((most, vector) => vector.reduce((best, x) =>
        Math.abs(x) > best ? Math.abs(x) : best, most), 0);
}

/** The index of the largest number, the first of equals. */
export function argmax(values) {
    return values.reduce((best, x, i) => x > values[best] ? i : best, 0);
}

/** Root mean square, and how it came out, with the numbers. */
export function rootMeanSquare(values) {
    const size = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
    const terms = Array.from(values.subarray(0, 16), (x) => `${shortDecimal(x)}\u00b2`).join(" + ");
    const more = values.length > 16 ? ` + \u2026 (${values.length} squares)` : "";
    return {size, formula: `sqrt((${terms}${more}) / ${values.length}) = ${shortDecimal(size)}`,
        python: () => rootMeanSquarePython(values)};
}

function times(matrix, vector) {
    return matrix.map((row) => row.reduce((sum, x, i) => sum + x * vector[i], 0));
}

function unit(vector) {
    const size = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0)) || 1;
    return vector.map((x) => x / size);
}

/** The eigenvector of the largest eigenvalue, by power iteration; its largest entry is positive. */
function firstAxis(covariance) {
    let axis = unit(covariance.map((_, i) => 1 + i / covariance.length));
    for (let round = 0; round < 300; round++) {
        axis = unit(times(covariance, axis));
    }
    const strongest = axis[argmax(axis.map(Math.abs))];
    const value = times(covariance, axis).reduce((sum, x, i) => sum + x * axis[i], 0);
    return {axis: axis.map((x) => strongest < 0 ? -x : x), value};
}

/** The two directions in which the rows of a matrix differ most, and the share they show. */
export function principalAxes(data, rows, columns) {
    const mean = Array.from({length: columns}, (_, c) => {
        let sum = 0;
        for (let r = 0; r < rows; r++) {
            sum += data[r * columns + c];
        }
        return sum / rows;
    });
    let covariance = mean.map((a, i) => mean.map((b, j) => {
        let sum = 0;
        for (let r = 0; r < rows; r++) {
            sum += (data[r * columns + i] - a) * (data[r * columns + j] - b);
        }
        return sum / rows;
    }));
    const total = covariance.reduce((sum, row, i) => sum + row[i], 0);
    const first = firstAxis(covariance);
    covariance = covariance.map((row, i) => row.map((x, j) =>
        x - first.value * first.axis[i] * first.axis[j]));
    const second = columns > 1 ? firstAxis(covariance) : {axis: first.axis.map(() => 0), value: 0};
    return {mean, axes: [first.axis, second.axis], values: [first.value, second.value], total,
        share: total > 0 ? (first.value + second.value) / total : 1};
}

/** Where a row lies along an axis, and how that came out, with the numbers. */
export function alongAxis(row, mean, axis) {
    const value = row.reduce((sum, x, i) => sum + (x - mean[i]) * axis[i], 0);
    const formula = () => {
        const terms = Array.from(row.subarray(0, 8), (x, i) =>
            `(${shortDecimal(x, 3)} \u2212 ${shortDecimal(mean[i], 3)}) \u00d7 ` +
            shortDecimal(axis[i], 3)).join(" + ");
        return `(row \u2212 mean) \u00b7 axis = ${terms}` +
            (row.length > 8 ? ` + \u2026 (${row.length} products)` : "") +
            ` = ${shortDecimal(value)}`;
    };
    return {value, formula, python: () => summed({x: row, mean, axis}, "(x - mean) * axis",
        "total")};
}

/** Each entry the mean of the last `window` ones up to it (of fewer at the start). */
export function runningMean(values, window) {
    return Float64Array.from(values, (_, i) => {
        const part = values.subarray(Math.max(0, i + 1 - window), i + 1);
        return part.reduce((sum, x) => sum + x, 0) / part.length;
    });
}

/** Over how many losses the page takes the mean: 50, or fewer in a short run. */
export function lossWindow(steps) {
    return Math.min(steps, 50, Math.max(2, Math.round(steps / 10)));
}

const BRIEF = 2e7; // steps times weights: what is replayed without being asked for

/** Whether replaying all steps takes more than a moment. */
export function isLong({steps, config}) {
    return steps * weightCount(config) > BRIEF;
}

/** The step with the least validation loss, the first of equals, and that loss. */
export function leastValidation({steps, losses}) {
    const step = bestStep(steps, losses);
    return {step, loss: losses[steps.indexOf(step)]};
}

/** How many weights a model has. */
export function weightCount({vocab_size: v, block_size: t, n_embd: c, n_layer: layers,
    tie_weights: tied}) {
    return ((tied ? 1 : 2) * v + t) * c + 12 * layers * c * c;
}

/** For each text that the page holds: whether the steps read it. */
export function knownTexts(run) {
    const read = new Set(run.order);
    const known = new Map();
    (run.texts || []).forEach((text, i) => known.set(text, known.get(text) ||
        read.has(run.textAt[i])));
    return known;
}

/** How often each token stands in the documents that the page holds. */
export function frequencies(run) {
    const index = new Map(run.chars.map((char, i) => [char, i]));
    const counts = new Array(run.config.vocab_size).fill(0);
    for (const text of run.texts || []) {
        for (const char of text) {
            counts[index.get(char)] += 1;
        }
    }
    counts[run.config.vocab_size - 1] = Infinity;
    return counts;
}

/** A drawing that is made anew when its width changes: draw(width) -> SVG element. */
export function responsive(draw) {
    const place = h("div", {"class": "drawing"});
    const now = {width: 0};
    place.redraw = () => {
        now.width = Math.floor(place.clientWidth) || now.width || 640;
        place.replaceChildren(draw(now.width));
    };
    new ResizeObserver(() => {
        if (Math.floor(place.clientWidth) !== now.width) {
            place.redraw();
        }
    }).observe(place);
    return place;
}

/** A weight by name and place, with the letter whose row it is in. */
export function weightName({name, row, column}, run) {
    const lettered = name === "wte" || name === "lm_head";
    return h("span", {"class": "weight-name"}, h("code", null, `${name}[${row}][${column}]`),
        lettered ? [" ", letter(row, run)] : null);
}

/** As many digits as it takes to tell two numbers apart: options of num. */
export function telling(a, b) {
    let digits = 4;
    while (digits < 16 && a !== b && shortDecimal(a, digits) === shortDecimal(b, digits)) {
        digits += 1;
    }
    return {digits};
}

/** A document as text, cut if it is long. */
export function shortText(text, most = 40) {
    const chars = [...text];
    return chars.length > most ? chars.slice(0, most).join("") + "\u2026" : text;
}
