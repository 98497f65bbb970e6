// Python texts of the numbers that the page computes by itself: each prints its number's float.hex.
import {reprOf} from "../core/numbers.js";

/** A number as Python reads it. */
export function literal(x) {
    return Number.isFinite(x) ? reprOf(x) : `float("${reprOf(x)}")`;
}

function withMath(text) {
    return (text.includes("math.") ? "import math\n\n" : "") + text;
}

/** Prints an expression of Python. */
export function printed(expression) {
    return withMath(`print(float(${expression}).hex())`);
}

/**
 * Adds `term` up from left to right, as sum() of newer Pythons does not, and prints `last`.
 * `lists` are {name: numbers}; the names stand in `term`, "total" in `last`.
 */
export function summed(lists, term, last) {
    const names = Object.keys(lists);
    const given = names.map((name) => `[${Array.from(lists[name], literal).join(", ")}]`);
    const all = names.length === 1 ? given[0] : `zip(\n    ${given.join(",\n    ")})`;
    return withMath(`total = 0\nfor ${names.join(", ")} in ${all}:\n    total += ${term}\n` +
        `print(float(${last}).hex())`);
}

/** The mean of these numbers. */
export function meanPython(values) {
    return summed({x: values}, "x", `total / ${values.length}`);
}

/** The root of their mean square. */
export function rootMeanSquarePython(values) {
    return summed({x: values}, "x * x", `math.sqrt(total / ${values.length})`);
}

const HARMLESS = new Set(("a axis b beta1 beta2 eps float exp for fromhex grad hex import " +
    "in inf log m math max mean min n nan power1 power2 print rate slope sqrt total v x zip")
    .split(" "));
const NUMBER = /(?:0x[01]\.[0-9a-f]+p[+-]?\d+)|(?:\d+\.?\d*(?:e[+-]?\d+)?)/g;

/**
 * Whether a text can only compute. A link may bring any text, and readers may paste what they see,
 * so no other word than these is shown to them as Python.
 */
export function onlyComputes(text) {
    const words = text.replace(NUMBER, " ").match(/[\p{L}_][\p{L}\p{N}_]*/gu) || [];
    return words.every((word) => HARMLESS.has(word)) && /^[\w\s.,:;=+\-*/()[\]"<>]*$/.test(text);
}
