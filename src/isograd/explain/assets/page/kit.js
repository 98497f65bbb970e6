// What every act is made of: elements, numbers, figures, voices, controls, questions.
// Text enters the page by textContent alone, so a document is never markup. Charts: charts.js.
import {hexOf} from "../core/numbers.js";
import {printed} from "./python.js";

const SVG = "http://www.w3.org/2000/svg";

function setAttribute(element, name, value) {
    if (value === null || value === undefined || value === false) {
        return;
    }
    if (name.startsWith("on")) {
        element.addEventListener(name.slice(2).toLowerCase(), value);
    } else if (name === "value") {
        element.value = value;
    } else {
        element.setAttribute(name, value === true ? "" : value);
    }
}

function fillElement(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
        setAttribute(element, name, value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null &&
        child !== undefined && child !== false));
    return element;
}

/** An HTML element; children are nodes, strings, numbers, or arrays of them. */
export function h(tag, attributes, ...children) {
    return fillElement(document.createElement(tag), attributes, children);
}

/** The same, of SVG. */
export function svg(tag, attributes, ...children) {
    return fillElement(document.createElementNS(SVG, tag), attributes, children);
}

/** Gives `element` these children instead of those it has. */
export function replace(element, ...children) {
    element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null &&
        child !== undefined && child !== false));
    return element;
}

/** `text` as nodes: `code` between backticks, and {name} where `values` has a node or a string. */
export function rich(text, values = {}) {
    const parts = text.split(/(`[^`]*`|\{[a-zA-Z]+\})/).filter((part) => part !== "");
    return parts.map((part) => {
        if (part.startsWith("`")) {
            return h("code", {"class": part.length < 36 ? "whole" : null}, part.slice(1, -1));
        }
        const name = /^\{([a-zA-Z]+)\}$/.exec(part);
        return name && name[1] in values ? values[name[1]] : part;
    });
}

const MINUS = "\u2212";
const SUPERSCRIPTS = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";

function powerOfTen(exponent) {
    const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[digit]).join("");
    return "\u00d710" + (exponent < 0 ? "\u207b" : "") + digits;
}

/** A number as people write it, with so many significant digits: "−0.08312", "3.1×10⁻⁷". */
export function shortDecimal(value, digits = 4) {
    if (!Number.isFinite(value)) {
        return Number.isNaN(value) ? "nan" : value > 0 ? "\u221e" : MINUS + "\u221e";
    }
    const sign = value < 0 || Object.is(value, -0) ? MINUS : "";
    const size = Math.abs(value);
    if (size === 0 || (Number.isInteger(size) && size < 1e6)) {
        return sign + String(size);
    }
    if (size >= 1e-3 && size < 1e6) {
        const text = size.toPrecision(digits);
        return sign + (text.includes("e") ? String(Math.round(size)) : text);
    }
    const [mantissa, exponent] = size.toExponential(Math.max(0, digits - 2)).split("e");
    return sign + mantissa + powerOfTen(Number(exponent));
}

/** The same without zeros at its end, for a formula's constants: "0.15". */
export function plainDecimal(value, digits = 4) {
    return shortDecimal(value, digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

/**
 * A number of the run: a button that opens the inspector at `ref`.
 * options: {digits, text (instead of the decimal), label (for screen readers), class}, and where the
 * page computed it by itself, {formula, python}: see derived.
 */
export function num(value, ref, options = {}) {
    const attributes = {
        "class": "num" + (options.class ? " " + options.class : ""), type: "button",
        "data-ref": ref, "data-hex": hexOf(value), "data-formula": options.formula,
        "aria-label": options.label,
    };
    return computedBy(h("button", attributes, options.text || shortDecimal(value, options.digits)),
        options);
}

/** Keeps how a number was computed until somebody asks: element.python() is a text for Python. */
export function computedBy(element, {formula, python}) {
    element.python = python || (() => printed(formula));
    return element;
}

/**
 * A number computed from others. The inspector shows the formula, and Python that gives the same
 * bits: the formula itself, derived(x, "3 / 4"), or what options.python() returns.
 */
export function derived(value, formula, options = {}) {
    return num(value, "derived", {...options, formula});
}

/** How a token looks: its character, a name for a space, and BOS's sign. */
export function tokenText(id, chars) {
    if (id >= chars.length || id < 0) {
        return "\u25cf";
    }
    if (chars[id] === " ") {
        return "\u2423";
    }
    return /^[\p{Z}\p{Cc}\p{Cf}]$/u.test(chars[id]) ? "U+" +
        chars[id].codePointAt(0).toString(16).toUpperCase().padStart(4, "0") : chars[id];
}

/** What stands there until the answer comes. */
export function loading(what = "loading") {
    return h("p", {"class": "loading", role: "status"}, what + "\u2026");
}

/** Shows `promise`'s answer in `place` by make(answer), "loading" before, its error's sentence. */
export function fillIn(place, promise, make) {
    const turn = (place.turn || 0) + 1;
    place.turn = turn;
    place.setAttribute("aria-busy", "true");
    if (!place.firstChild) {
        replace(place, loading());
    }
    return promise.then(make).catch((error) => h("p", {"class": "sorry"}, error.message))
        .then((content) => {
            if (place.turn === turn) {
                place.removeAttribute("aria-busy");
                replace(place, content);
            }
        });
}

const unseen = [];

/**
 * Calls fn once: when `element` comes near the screen, or when nothing else is to be done, so that
 * a print has it, too. What is `costly` waits for the reader.
 */
export function whenSeen(element, fn, costly = false) {
    const see = () => {
        const i = unseen.indexOf(see);
        watcher.disconnect();
        unseen.splice(i, i < 0 ? 0 : 1);
        fn();
    };
    const watcher = new IntersectionObserver((entries) =>
        entries.some((entry) => entry.isIntersecting) && see(), {rootMargin: "600px"});
    watcher.observe(element);
    if (!costly) {
        unseen.push(see);
    }
}

/** Does for one place after the other what waits for it to be seen. */
export function seeTheRest() {
    if (unseen.length > 0) {
        unseen[0]();
        (window.requestIdleCallback || setTimeout)(seeTheRest);
    }
}

/** A titled figure. The caption may be a string, nodes, or nothing. */
export function figure(title, widget, caption) {
    return h("figure", {"class": "figure"},
        h("figcaption", {"class": "figure-title"}, h("h3", {tabindex: "-1"}, title)),
        h("div", {"class": "figure-body"}, widget),
        caption ? h("p", {"class": "caption"},
            typeof caption === "string" ? rich(caption) : caption) : null);
}

function paragraphs(text) {
    const list = Array.isArray(text) && text.every((part) => typeof part === "string")
        ? text : [text];
    return list.map((part) => h("p", null, typeof part === "string" ? rich(part) : part));
}

/** The same thought twice: for everybody, and for who wants the reason. Strings, arrays, nodes. */
export function voices(plain, technical) {
    return h("div", {"class": "voices"},
        plain ? h("div", {"class": "voice plain"}, paragraphs(plain)) : null,
        technical ? h("div", {"class": "voice technical"}, paragraphs(technical)) : null);
}

/** The frame of an act: its number or mark, its title, the sentence below, and what is in it. */
export function act(id, mark, title, lead, ...children) {
    const section = h("section", {"class": "act", id, "aria-labelledby": id + "-title"},
        h("header", {"class": "act-head"},
            h("p", {"class": "act-mark", "aria-hidden": "true"}, mark),
            h("h2", {id: id + "-title", tabindex: "-1"}, title),
            lead ? h("p", {"class": "lead"}, rich(lead)) : null),
        children);
    section.querySelectorAll(".figure").forEach((one, i) => {
        one.id = `${id}.${i + 1}`; // for links: #act=act3.2
    });
    return section;
}

let controls = 0;

function newId() {
    controls += 1;
    return "control-" + controls;
}

/** A labelled slider. `format` makes the text beside it. Returns it with .set(value). */
export function slider({label, min, max, step = 1, value, format = String, onInput}) {
    const id = newId();
    const shown = h("output", {"for": id}, format(value));
    const input = h("input", {
        id, type: "range", min, max, step, value, "aria-valuetext": format(value),
        oninput: () => {
            show(Number(input.value));
            onInput(Number(input.value));
        },
    });
    function show(number) {
        shown.textContent = format(number);
        input.setAttribute("aria-valuetext", format(number));
        const share = max > min ? (number - min) / (max - min) : 0;
        input.style.setProperty("--share", String(share));
    }
    input.value = value;
    show(Number(value));
    const element = h("div", {"class": "slider"}, h("label", {"for": id}, label), input, shown);
    element.input = input;
    element.set = (number) => {
        input.value = number;
        show(number);
    };
    return element;
}

/** A choice among few: options are [value, text]. Returns it with .set(value). */
export function segmented({label, options, value, onPick}) {
    const name = newId();
    const inputs = options.map(([key]) => h("input", {
        type: "radio", name, value: key, checked: key === value, onchange: () => onPick(key),
    }));
    const element = h("fieldset", {"class": "segmented"}, h("legend", null, label),
        options.map(([, text], i) => h("label", null, inputs[i], h("span", null, text))));
    element.set = (key) => {
        inputs.forEach((input, i) => {
            input.checked = options[i][0] === key;
        });
    };
    return element;
}

/** A choice among many: options are [value, text]. Returns it with .set(value). */
export function choice({label, options, value, onPick}) {
    const id = newId();
    const select = h("select", {id, onchange: () => onPick(options[select.selectedIndex][0])},
        options.map(([, text]) => h("option", null, text)));
    const element = h("div", {"class": "choice"}, h("label", {"for": id}, label), select);
    element.set = (key) => {
        select.selectedIndex = options.findIndex((option) => option[0] === key);
    };
    element.set(value);
    return element;
}

/** A line to type in; onInput gets the text at each key. */
export function textInput({label, value = "", onInput, placeholder}) {
    const id = newId();
    const input = h("input", {
        id, type: "text", value, placeholder, autocomplete: "off", autocapitalize: "off",
        spellcheck: "false", oninput: () => onInput(input.value),
    });
    const element = h("div", {"class": "text-input"}, h("label", {"for": id}, label), input);
    element.input = input;
    return element;
}

/** Marks at which sides `element`, which scrolls sideways, goes on: the style fades them. */
export function scroller(element) {
    const look = () => {
        const left = element.scrollLeft > 4;
        const right = element.scrollLeft + element.clientWidth < element.scrollWidth - 4;
        element.dataset.more = left && right ? "both" : left ? "left" : right ? "right" : "none";
    };
    const watcher = new ResizeObserver(look);
    watcher.observe(element);
    new MutationObserver(look).observe(element, {childList: true});
    element.addEventListener("scroll", look, {passive: true});
    return element;
}

export function button(text, onClick, attributes = {}) {
    return h("button", {type: "button", "class": "button", onclick: onClick, ...attributes}, text);
}

/** Code, shown as it is. */
export function code(text) {
    return h("pre", {"class": "code", tabindex: "0"}, h("code", null, text));
}

/** A table: heads are strings or nodes, rows arrays of cells. The first cell heads its row. */
export function table(heads, rows, options = {}) {
    const cell = (content, i) => i === 0 ? h("th", {scope: "row"}, content)
        : h("td", null, content);
    return scroller(h("div", {"class": "table-frame", tabindex: "0", role: "region",
        "aria-label": options.label || "table"},
    h("table", {"class": options.class},
        h("thead", null, h("tr", null, heads.map((head) =>
            head === "" ? h("td", null) : h("th", {scope: "col"}, head)))),
        h("tbody", null, rows.map((row) => h("tr", null, row.map(cell)))))));
}

/**
 * The question at the end of an act. `options` are strings to pick from; without them the reader
 * types. check(answer) -> {right, say}, or, of what was typed, a Promise of it; `say` is a string or
 * nodes.
 */
export function question({ask, options, check}) {
    const verdict = h("div", {"class": "verdict", role: "status"});
    const judge = (answer) => Promise.resolve(check(answer)).then(({right, say}) => {
        verdict.className = "verdict " + (right ? "right" : "wrong");
        replace(verdict, h("strong", null, right ? "Yes. " : "Not quite. "),
            typeof say === "string" ? rich(say) : say);
    }).catch((error) => replace(verdict, error.message));
    let controls;
    let solution = null;
    if (options) {
        solution = printedSolution(options.map((option) => [option, check(option)])
            .find(([, answer]) => answer.right) || []);
        controls = h("div", {"class": "options"},
            options.map((option) => button(option, () => judge(option))));
    } else {
        const input = textInput({label: "Your answer", onInput: () => {}});
        controls = h("form", {"class": "answer", onsubmit: (event) => {
            event.preventDefault();
            judge(input.input.value.trim());
        }}, input, h("button", {"class": "button", type: "submit"}, "Check"));
    }
    return h("div", {"class": "question", role: "group", "aria-label": "A question"},
        h("p", {"class": "ask"}, typeof ask === "string" ? rich(ask) : ask), controls, verdict,
    solution);
}

/** The answer for paper, upside down, as under a puzzle. */
function printedSolution([option, answer]) {
    return answer && h("p", {"class": "solution print-only"}, option, ". ",
        typeof answer.say === "string" ? rich(answer.say) : answer.say);
}
