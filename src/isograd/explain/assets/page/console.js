// `isograd` in the reader's console, and its description on the page. Numbers come as
// {value, hex}, so that they can be compared with Python's in every bit.
import {hexOf} from "../core/numbers.js";
import {act, code, h, rich} from "./kit.js";
import {ask, askNow, lines} from "./state.js";
import {pageText} from "../text/page.js";

const exact = (value) => value === null ? null : {value, hex: hexOf(value)};
const exactList = (values) => values === null ? null : Array.from(values, exact);

function exactNode(node) {
    const line = lines.sites[node.site];
    return {
        ...node, data: exact(node.data), grad: exact(node.grad),
        children: node.children.map((child) => ({id: child.id, data: exact(child.data),
            grad: exact(child.grad), local: exact(child.local)})),
        parts: node.parts.map((part) => ({from: part.from, local: exact(part.local),
            grad: exact(part.grad), value: exact(part.value)})),
        line: line ? {file: line.file, line: line.line, text: line.text} : null,
    };
}

/** What the console calls `isograd`. */
export function consoleFace() {
    return {
        verify: (onProgress) => askNow("verify", [], onProgress),
        async step(k) {
            const {documents, tokens, loss, lr} = await ask("step", k);
            return {documents, tokens, loss: exact(loss), lr: exact(lr)};
        },
        async weight(name, row, column, k) {
            const answer = await ask("weight", name, row, column, k);
            return Object.fromEntries(Object.entries(answer).map(([key, value]) =>
                [key, exact(value)]));
        },
        async node(k, id) {
            return exactNode(await ask("node", k, id));
        },
        async samples() {
            const samples = await ask("samples");
            return samples.map(({text, steps}) => ({text, steps: steps.map((one) => ({
                token: one.token, draw: exact(one.draw), total: exact(one.total),
                logits: exactList(one.logits), probabilities: exactList(one.probabilities),
                cumulated: exactList(one.cumulated)}))}));
        },
    };
}

const FUNCTIONS = [
    ["await isograd.verify(onProgress)", "replays the run: `{steps, different, first}`; " +
        "`onProgress` is called with `{done, total}`"],
    ["await isograd.step(k)", "step k: `documents`, `tokens`, `loss`, `lr`"],
    ["await isograd.weight(name, row, column, k)", "a weight in step k: `before`, `grad`, `m`, " +
        "`v`, `mHat`, `vHat`, `lr`, `change`, `after`; `clipped` is `grad` times `clipping`, " +
        "`decayed` is `before` after weight decay"],
    ["await isograd.node(k, id)", "a node of step k's graph: `operation`, `data`, `grad`, " +
        "`children` with `local` gradients, `parts` (what was added to its gradient, in order), " +
        "`line` of the reference"],
    ["await isograd.samples()", "the run's samples: each character's `probabilities`, " +
        "`cumulated`, `draw`"],
];

/** The documented functions, at the end of the page. */
export function consoleHelp() {
    return act("console", "Console", pageText.consoleTitle, pageText.consoleLead,
        h("dl", {"class": "functions"}, FUNCTIONS.map(([call, says]) => [h("dt", null,
            h("code", null, call)), h("dd", null, rich(says))])),
        h("p", {"class": "note"}, rich(pageText.consoleNote)),
        code("const w = await isograd.weight(\"wte\", 0, 0, 1);\n" +
            "w.after.hex  // what Python prints for the same weight"));
}
