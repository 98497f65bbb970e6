// Small charts: a heat map, bars, lines. Each cell, bar or picked point carries the number's
// reference and its bits. Each chart is one stop of the tab key; arrows move inside.
import {hexOf} from "../core/numbers.js";
import {h, num, plainDecimal, replace, shortDecimal, svg} from "./kit.js";

const MOST_CELLS = 2048;

/** Arrow keys among the items of `container`, which lie in rows of `columns`. */
export function roving(container, items, columns) {
    let current = items.findIndex((item) => item.hasAttribute("data-ref"));
    const go = (i) => {
        if (i >= 0 && i < items.length) {
            items[Math.max(0, current)].tabIndex = -1;
            current = i;
            items[i].tabIndex = 0;
            items[i].focus();
        }
    };
    items.forEach((item, i) => {
        item.tabIndex = i === Math.max(0, current) ? 0 : -1;
    });
    container.addEventListener("keydown", (event) => {
        const i = items.indexOf(event.target);
        const row = i - i % columns;
        const moves = {ArrowLeft: i - 1, ArrowRight: i + 1, ArrowUp: i - columns,
            ArrowDown: i + columns, Home: row, End: Math.min(row + columns, items.length) - 1};
        if (i >= 0 && event.key in moves) {
            event.preventDefault();
            go(moves[event.key]);
        } else if (i >= 0 && (event.key === "Enter" || event.key === " ")) {
            event.preventDefault();
            items[i].dispatchEvent(new MouseEvent("click", {bubbles: true})); // SVG, too
        }
    });
    container.addEventListener("focusin", (event) => {
        const i = items.indexOf(event.target);
        if (i >= 0) {
            items[Math.max(0, current)].tabIndex = -1;
            current = i;
            items[i].tabIndex = 0;
        }
    });
}

/** A line below a chart that says what the pointer or the focus is on. */
function readout(container, items, describe) {
    const line = h("p", {"class": "readout"}, "\u00a0");
    const show = (event) => {
        const i = items.indexOf(event.target.closest("[data-ref]"));
        if (i >= 0) {
            replace(line, describe(i));
        }
    };
    container.addEventListener("pointerover", show);
    container.addEventListener("focusin", show);
    return line;
}

/** How strong a colour is, from 0 to 1: the root where all are above 0, so that small ones show. */
function strengthOf(value, limit, scale) {
    const share = limit > 0 ? Math.min(1, Math.abs(value) / limit) : 0;
    return scale === "sequential" ? Math.sqrt(share) : share;
}

function heatCell(options, r, c, limit) {
    const value = options.value(r, c);
    const ref = options.ref ? options.ref(r, c) : null;
    if (ref === null || Number.isNaN(value)) {
        return h("div", {"class": "cell absent", role: "gridcell", "aria-label": "hidden"});
    }
    const cell = h("div", {
        "class": "cell " + (value < 0 ? "minus" : "plus"), role: "gridcell", "data-ref": ref,
        "data-hex": hexOf(value), "data-formula": options.formula?.(r, c),
        "aria-label": (options.name ? options.name(r, c)
            : `${options.rowLabels?.[r] ?? r}, ${options.columnLabels?.[c] ?? c}` +
                (options.text ? `, ${options.text(r, c)}` : "")) + ": " +
            shortDecimal(value, options.numbers ? options.digits ?? 2 : 4),
    }, options.text ? options.text(r, c)
        : options.numbers ? shortDecimal(value, options.digits ?? 2) : null);
    if (options.hint) {
        cell.dataset.hint = options.hint(r, c);
    }
    const strength = strengthOf(value, limit, options.scale);
    cell.style.setProperty("--strength", (100 * strength).toFixed(1) + "%");
    if (options.marked?.(r, c)) {
        cell.classList.add("marked");
    }
    return cell;
}

function largest(options) {
    let limit = 0;
    for (let r = 0; r < options.rows; r++) {
        for (let c = 0; c < options.columns; c++) {
            const size = Math.abs(options.value(r, c));
            limit = size > limit && Number.isFinite(size) ? size : limit;
        }
    }
    return limit;
}

function heatGrid(options, limit, start, stop) {
    const cells = [];
    const grid = h("div", {"class": "heat" + (options.numbers ? " with-numbers" : "") +
        (options.numbers || options.pale ? " pale" : ""), role: "grid",
        "aria-label": options.label || "heat map"});
    const labelled = Boolean(options.rowLabels);
    grid.style.setProperty("--columns", options.columns);
    grid.classList.toggle("labelled", labelled);
    if (options.columnLabels) {
        grid.append(h("div", {"class": "heat-row", role: "row"},
            labelled ? h("div", {"class": "heat-corner", role: "columnheader"}, h("span",
                {"class": "away"}, "row")) : null,
            Array.from({length: options.columns}, (_, c) => h("div", {"class": "heat-label column",
                role: "columnheader"}, String(options.columnLabels[c])))));
    }
    for (let r = start; r < stop; r++) {
        const row = h("div", {"class": "heat-row", role: "row"},
            labelled ? h("div", {"class": "heat-label", role: "rowheader"},
                String(options.rowLabels[r])) : null);
        for (let c = 0; c < options.columns; c++) {
            const cell = heatCell(options, r, c, limit);
            cells.push(cell);
            row.append(cell);
        }
        grid.append(row);
    }
    return {grid, cells};
}

/**
 * A heat map. {rows, columns, value(r, c), ref(r, c) (null: hidden), rowLabels, columnLabels,
 * label, scale: "diverging"|"sequential", limit (the strongest colour), numbers (show them),
 * digits, pale (the colours of one with numbers), marked(r, c), name(r, c), text(r, c) and
 * hint(r, c): what a cell is called, and what stands in it always or under the pointer}
 */
export function heat(options) {
    const limit = options.limit || largest(options);
    const most = Math.max(1, Math.min(options.rows, Math.floor(MOST_CELLS / options.columns)));
    const place = h("div", {"class": "heat-place"});
    const draw = (start) => {
        const stop = Math.min(options.rows, start + most);
        const {grid, cells} = heatGrid(options, limit, start, stop);
        roving(grid, cells, options.columns);
        const line = readout(grid, cells, (i) => {
            const r = start + Math.floor(i / options.columns);
            const c = i % options.columns;
            return [options.name ? options.name(r, c) + ": " :
                `${options.rowLabels?.[r] ?? "row " + r}, ` +
                `${options.columnLabels?.[c] ?? "column " + c}: `,
            num(options.value(r, c), options.ref(r, c), {formula: options.formula?.(r, c)})];
        });
        replace(place, grid, h("div", {"class": "under-chart"}, legend(options, limit), line),
            most < options.rows ? pager(start, stop, options.rows, most, draw) : null);
    };
    draw(0);
    return place;
}

function pager(start, stop, rows, most, draw) {
    const turn = (by) => h("button", {type: "button", "class": "button",
        onclick: () => draw(Math.max(0, Math.min(rows - 1, start + by))),
        disabled: by < 0 ? start === 0 : stop >= rows}, by < 0 ? "earlier rows" : "later rows");
    return h("p", {"class": "pager"}, turn(-most), ` rows ${start} to ${stop - 1} of ${rows} `,
        turn(most));
}

const SAMPLES_OF_COLOURS = [0, 0.05, 0.25, 0.5, 1];

function legend(options, limit) {
    const text = shortDecimal(limit, 2);
    const kind = options.numbers || options.pale ? " pale" : "";
    if (options.scale === "sequential") {
        return h("p", {"class": "legend" + kind, "aria-hidden": "true"},
            SAMPLES_OF_COLOURS.map((share) => {
                const sample = h("i", {"class": "cell plus"});
                sample.style.setProperty("--strength", (100 * Math.sqrt(share)).toFixed(1) + "%");
                return h("span", {"class": "sample"}, sample, plainDecimal(share * limit, 3));
            }));
    }
    return h("p", {"class": "legend diverging" + kind, "aria-hidden": "true"},
        h("span", null, "\u2212" + text), h("i", {"class": "ramp"}), h("span", null, text));
}

/**
 * Bars with a label and their number. {items: [{label, value, ref, marked, note}], max, label,
 * digits, layout: "rows" (default) | "columns" (labels below, numbers in the inspector)}
 */
export function bars({items, max, label, digits, layout = "rows"}) {
    const top = max || Math.max(...items.map((item) => Math.abs(item.value)), 0) || 1;
    const share = (item) => (100 * Math.min(1, Math.abs(item.value) / top)).toFixed(2) + "%";
    const kind = (item) => (item.value < 0 ? " minus" : " plus") + (item.marked ? " marked" : "");
    if (layout === "columns") {
        return columnBars(items, share, kind, label);
    }
    return h("ul", {"class": "bars", "aria-label": label}, items.map((item) => {
        const bar = h("i", {"class": "bar" + kind(item)});
        bar.style.setProperty("--size", share(item));
        return h("li", {"class": item.marked ? "marked" : null},
            h("span", {"class": "bar-label"}, item.label),
            h("span", {"class": "bar-track"}, bar), num(item.value, item.ref,
                {digits, formula: item.formula}),
            item.note ? h("span", {"class": "bar-note"}, item.note) : null);
    }));
}

function columnBars(items, share, kind, label) {
    const columns = items.map((item) => {
        const bar = h("i", {"class": "bar" + kind(item)});
        bar.style.setProperty("--size", share(item));
        return h("button", {type: "button", "class": "column" + (item.marked ? " marked" : ""),
            "data-ref": item.ref, "data-hex": hexOf(item.value), "data-formula": item.formula,
            "aria-label": `${item.label}: ${shortDecimal(item.value)}`},
        h("span", {"class": "column-track"}, bar),
        h("span", {"class": "column-label"}, item.label));
    });
    const list = h("div", {"class": "columns", role: "group", "aria-label": label}, columns);
    roving(list, columns, columns.length);
    const line = readout(list, columns, (i) => [items[i].label, ": ",
        num(items[i].value, items[i].ref, {formula: items[i].formula})]);
    return h("div", {"class": "columns-place"}, list, line);
}

function niceTicks(low, high, count) {
    const span = high - low || 1;
    const power = 10 ** Math.floor(Math.log10(span / count));
    const unit = [1, 2, 5, 10].map((factor) => factor * power)
        .find((size) => span / size <= count);
    const ticks = [];
    for (let i = Math.ceil(low / unit - 1e-9); i * unit <= high + 1e-9 * span; i++) {
        ticks.push(i * unit);
    }
    return ticks;
}

function tickText(v) {
    return v === 0 ? "0" : plainDecimal(Number(v.toPrecision(6)), 3)
        .replace(/\.0+\u00d7/, "\u00d7");
}

/** Where the plot lies, and how numbers become pixels. */
function plotFrame(options, width) {
    const height = options.height || 220;
    const right = 18;
    const top = 10;
    const bottom = options.xLabel ? 40 : 26;
    const all = options.series.map((line) => line.y);
    const finite = (pick, start) => all.reduce((best, y) => y.reduce((b, v) =>
        Number.isFinite(v) ? pick(b, v) : b, best), start);
    let [low, high] = options.domain || [finite(Math.min, Infinity), finite(Math.max, -Infinity)];
    for (const {y} of options.domain ? [] : options.lines || []) {
        low = Math.min(low, y);
        high = Math.max(high, y);
    }
    if (!(high > low)) {
        [low, high] = Number.isFinite(low) ? [low - 0.5, low + 0.5] : [0, 1];
    }
    const pad = options.domain ? 0 : 0.04 * (high - low);
    const ticks = niceTicks(low - pad, high + pad, height < 130 ? 2 : 4);
    const left = Math.max(34, 14 + 7 * Math.max(...ticks.map((v) => tickText(v).length)));
    const n = Math.max(1, ...all.map((y) => y.length));
    const xAt = (i) => options.x ? options.x[i] : (options.start ?? 1) + i;
    const x0 = xAt(0);
    const x1 = n > 1 ? xAt(n - 1) : x0 + 1;
    return {height, left, right, top, bottom, width, ticks, n, xAt, x0, x1, low: low - pad,
        high: high + pad,
        px: (x) => left + (x - x0) / (x1 - x0) * (width - left - right),
        py: (y) => top + (high + pad - y) / (high - low + 2 * pad) * (height - top - bottom)};
}

/** A path through y, at most two points a pixel: the least and the largest of each. */
function linePath(y, frame) {
    const stride = Math.max(1, Math.floor(y.length / (2 * frame.width)));
    let path = "";
    for (let i = 0; i < y.length; i += stride) {
        let least = i;
        let most = i;
        for (let j = i; j < Math.min(y.length, i + stride); j++) {
            least = y[j] < y[least] || Number.isNaN(y[least]) ? j : least;
            most = y[j] > y[most] || Number.isNaN(y[most]) ? j : most;
        }
        for (const j of least === most ? [i] : [Math.min(least, most), Math.max(least, most)]) {
            if (Number.isFinite(y[j])) {
                path += (path ? "L" : "M") + frame.px(frame.xAt(j)).toFixed(1) + "," +
                    frame.py(y[j]).toFixed(1);
            }
        }
    }
    return path;
}

function axes(options, f) {
    const xTicks = niceTicks(f.x0, f.x1, f.width > 500 ? 8 : 4);
    return svg("g", {"class": "axes", "aria-hidden": "true"},
        f.ticks.map((v) => [svg("line", {x1: f.left, x2: f.width - f.right, y1: f.py(v),
            y2: f.py(v)}), svg("text", {x: f.left - 6, y: f.py(v) + 4, "text-anchor": "end"},
            tickText(v))]),
        xTicks.map((v) => svg("text", {x: f.px(v), y: f.height - f.bottom + 17,
            "text-anchor": "middle"}, tickText(v))),
        options.xLabel ? svg("text", {x: f.width - f.right, y: f.height - 4, "text-anchor": "end",
            "class": "axis-label"}, options.xLabel) : null,
        (options.lines || []).map((line) => svg("g", {"class": "guide"},
            svg("line", {x1: f.left, x2: f.width - f.right, y1: f.py(line.y), y2: f.py(line.y)}),
            svg("text", {x: f.width - f.right, y: f.py(line.y) - 5, "text-anchor": "end"},
                line.label))));
}

const MOST_DOTS = 80;

/** The points of a line that has few. */
function dotsOn({y, "class": kind}, {px, py, xAt}) {
    const places = Array.from(y.keys()).filter((i) => Number.isFinite(y[i]));
    return places.length > MOST_DOTS ? [] : places.map((i) => svg("circle", {
        "class": `dot ${kind}`, cx: px(xAt(i)), cy: py(y[i]), r: 3}));
}

function plotDrawing(options, frame, at) {
    const {px, py, xAt} = frame;
    const drawing = svg("svg", {"class": "plot", viewBox: `0 0 ${frame.width} ${frame.height}`,
        width: frame.width, height: frame.height, "aria-hidden": "true"}, axes(options, frame),
    options.series.map((line, i) => svg("path", {d: linePath(line.y, frame),
        "class": `line ${line.class || "line-" + i}`})),
    options.series.filter((line) => line.dots).map((line) => dotsOn(line, frame)),
    (options.marks || []).map((mark) => svg("g", {"class": "mark"},
        svg("line", {x1: px(mark.x), x2: px(mark.x), y1: frame.top,
            y2: frame.height - frame.bottom}),
        mark.label ? svg("text", {x: px(mark.x) + (px(mark.x) > frame.width - 90 ? -5 : 5),
            y: frame.top + 10, "text-anchor": px(mark.x) > frame.width - 90 ? "end" : "start"},
        mark.label) : null)));
    const cross = svg("g", {"class": "cross"});
    drawing.append(cross);
    const move = () => replace(cross,
        svg("line", {x1: px(xAt(at.i)), x2: px(xAt(at.i)), y1: frame.top,
            y2: frame.height - frame.bottom}),
        options.series.map((line, i) => Number.isFinite(line.y[at.i]) ? svg("circle", {
            "class": line.class || "line-" + i, cx: px(xAt(at.i)), cy: py(line.y[at.i]),
            r: 4}) : []));
    move();
    return {drawing, move};
}

/**
 * Lines over steps (or over x). {series: [{name, y, ref(i), class}], x, start (of steps, 1),
 * marks: [{x, label}], lines: [{y, label}], domain: [low, high], height, label, xLabel, at,
 * unit ("step"), onPick(index)}. Returns it with .mark(marks) and .move(index).
 */
export function linePlot(options) {
    const n = Math.max(1, ...options.series.map((line) => line.y.length));
    const at = {i: Math.min(n - 1, Math.max(0, options.at ?? n - 1))};
    const frameElement = h("div", {"class": "plot-frame", tabindex: "0", role: "slider",
        "aria-label": options.label || "plot", "aria-valuemin": 0, "aria-valuemax": n - 1});
    const line = h("p", {"class": "readout"});
    let frame = null;
    let move = () => {};
    const say = () => {
        const x = options.x ? shortDecimal(options.x[at.i]) : at.i + (options.start ?? 1);
        const place = `${options.unit ?? "step"} ${x}`;
        frameElement.setAttribute("aria-valuenow", at.i);
        const there = options.series.filter((s) => s.y.length > at.i && !Number.isNaN(s.y[at.i]));
        frameElement.setAttribute("aria-valuetext", place + there.map((s) =>
            `, ${s.name || ""} ${shortDecimal(s.y[at.i])}`).join(""));
        replace(line, place, there.map((s) =>
            [" \u00b7 ", s.name ? s.name + " " : "",
                s.ref ? num(s.y[at.i], s.ref(at.i), {formula: s.formula?.(at.i),
                    python: s.python && (() => s.python(at.i))})
                    : shortDecimal(s.y[at.i])]));
        move();
    };
    const draw = () => {
        const width = Math.max(240, Math.floor(frameElement.clientWidth || 640));
        frame = plotFrame(options, width);
        const made = plotDrawing(options, frame, at);
        move = made.move;
        replace(frameElement, made.drawing);
    };
    const go = (i) => {
        at.i = Math.max(0, Math.min(n - 1, i));
        say();
    };
    listenToPlot(frameElement, () => frame, at, n, go, options.onPick);
    new ResizeObserver(draw).observe(frameElement);
    draw();
    say();
    const element = h("div", {"class": "plot-place"}, frameElement, plotKey(options.series), line);
    element.mark = (marks) => {
        options.marks = marks;
        draw();
    };
    element.move = go;
    return element;
}

function plotKey(series) {
    const named = series.filter((line) => line.name);
    return named.length < 2 ? null : h("p", {"class": "key"}, series.map((line, i) =>
        h("span", {"class": `key-item ${line.class || "line-" + i}`}, h("i", null), line.name)));
}

function listenToPlot(element, frame, at, n, go, onPick) {
    const indexAt = (event) => {
        const f = frame();
        const box = element.getBoundingClientRect();
        const share = (event.clientX - box.left - f.left) / (f.width - f.left - f.right);
        return Math.round(share * (n - 1));
    };
    // A press picks where it ends. No click: there is none where what was pressed is drawn anew.
    const press = {id: null};
    element.addEventListener("pointerdown", (event) => {
        if (event.button === 0) {
            press.id = event.pointerId;
            element.setPointerCapture(event.pointerId);
            go(indexAt(event));
        }
    });
    element.addEventListener("pointermove", (event) => go(indexAt(event)));
    element.addEventListener("pointercancel", () => {
        press.id = null; // a finger that scrolls the page
    });
    element.addEventListener("pointerup", (event) => {
        if (press.id === event.pointerId) {
            press.id = null;
            go(indexAt(event));
            onPick?.(at.i);
        }
    });
    element.addEventListener("keydown", (event) => {
        const page = Math.max(1, Math.round(n / 20));
        const moves = {ArrowLeft: at.i - 1, ArrowRight: at.i + 1, ArrowDown: at.i - 1,
            ArrowUp: at.i + 1, PageUp: at.i + page, PageDown: at.i - page, Home: 0, End: n - 1};
        if (event.key in moves) {
            event.preventDefault();
            go(moves[event.key]);
        } else if (event.key === "Enter") {
            onPick?.(at.i);
        }
    });
}
