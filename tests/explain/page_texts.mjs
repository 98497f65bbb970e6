// The page's short decimals, what it finds in another page, and the Python texts of all nodes of
// an expression with the bits that they are to print: as JSON.

import {readExpression} from "../../src/isograd/explain/assets/core/expression.js";
import {hexOf} from "../../src/isograd/explain/assets/core/numbers.js";
import {Libm} from "../../src/isograd/explain/assets/core/rounded.js";
import {causeOf, payloadOf} from "../../src/isograd/explain/assets/page/compare.js";
import {
    dataPython, gradPython, localPython,
} from "../../src/isograd/explain/assets/page/formulas.js";
import {plainDecimal, shortDecimal} from "../../src/isograd/explain/assets/page/kit.js";

const EXPRESSION = "(2.5*b + exp(a/7)) * log(c) + relu(d-3) + b**-1 + relu(-a) + b*b";
const NUMBERS = [0, -0, 1, -14, 0.1, 2 / 3, -0.000123456, 1234567.891, 123.4567, 1e-300, Infinity,
    NaN, 29580.4];

function texts() {
    const tape = readExpression(EXPRESSION, new Libm({header: {}, arrays: {}}));
    const nodes = Array.from({length: tape.length}, (_, id) => tape.node(id));
    return nodes.flatMap((node) => [
        {text: dataPython(node), hex: hexOf(node.data)},
        {text: gradPython(node), hex: hexOf(node.grad)},
        ...node.children.map((child, j) => ({text: localPython(node, j), hex: hexOf(child.local)})),
    ]);
}

function found(page) {
    try {
        return payloadOf(page);
    } catch (error) {
        return error.message;
    }
}

const digest = "0123456789abcdef".repeat(4);
process.stdout.write(JSON.stringify({
    short: NUMBERS.map((x) => shortDecimal(x)),
    plain: [0.15, 0.01, 2, 1e-8, 120].map((x) => plainDecimal(x)),
    texts: texts(),
    found: [found(`<script type="x" id="payload" data-sha256="${digest}">eJw=</script>`),
        found("<p>payload</p>")],
    causes: [["seed"], ["data", "data's SHA-256", "vocab_size"], ["data's SHA-256", "lr", "steps"],
        ["libm"], []].map((different) => causeOf(["data", "documents", "data's SHA-256",
        "vocab_size", "seed", "steps", "lr", "python", "libm"].map((name) =>
        [name, 1, different.includes(name) ? 2 : 1]))),
}));
