// What was added to a gradient, in its order: the shares of each use, with bars, sorted on request.
import {sameBits} from "../core/numbers.js";
import {nodeNum} from "./formulas.js";
import {button, derived, h, num, replace, segmented, tokenText} from "./kit.js";
import {literal, printed} from "./python.js";
import {ask, run} from "./state.js";

const FOLD = 6;
export const KINDS_OF_NODE = {"+": "a sum", "*": "a product", "**": "a power"};

/** The first few of `items`, and a button for the rest. */
export function folded(items, make, word) {
    const list = h("ol", {"class": "steps-list"}, items.slice(0, FOLD).map(make));
    if (items.length <= FOLD) {
        return list;
    }
    const more = button(`${items.length} ${word}: show all`, () => {
        list.append(...items.slice(FOLD).map((item, i) => make(item, i + FOLD)));
        more.remove();
    });
    return [list, more];
}

/**
 * The contributions to a gradient, numbered in the order in which they were added, each with a bar;
 * on request the largest first. make(part, i) -> what an item says.
 */
function contributions(parts, make, word) {
    const most = parts.reduce((size, {value}) => Math.max(size, Math.abs(value)), 0);
    const item = (i) => {
        const {value} = parts[i];
        const bar = h("i", {"class": value < 0 ? "minus" : "plus"});
        bar.style.setProperty("--size", `${(100 * Math.abs(value) / (most || 1)).toFixed(1)}%`);
        return h("li", null, h("span", {"class": "count"}, `${i + 1}.`), make(parts[i], i),
            parts.length > 1 ? h("span", {"class": "share", "aria-hidden": "true"}, bar) : null);
    };
    const place = h("div", null);
    const show = (order) => {
        const all = parts.map((_, i) => i);
        const size = (i) => Math.abs(parts[i].value);
        replace(place, folded(order === "size" ? all.sort((a, b) => size(b) - size(a) || a - b) : all,
            item, word));
    };
    show("added");
    return [parts.length < 3 ? null : segmented({label: "Order", value: "added", onPick: show,
        options: [["added", "As added"], ["size", "Largest first"]]}), place];
}

/** What the colours of contributions' bars mean, if there are any. */
function colours(parts) {
    return parts.length < 2 ? "" : " Bars: blue is below 0, orange above.";
}

const MOST_PARENTS = 300;

/** Where each local gradient of a gradient's parts stands: [[parent, number of its child]...]. */
export async function localRefs(k, node) {
    const ids = [...new Set(node.parts.slice(0, MOST_PARENTS).map((part) => part.from))];
    const parents = new Map();
    for (const parent of await Promise.all(ids.map((id) => ask("node", k, id)))) {
        parents.set(parent.id, parent.children.flatMap((child, j) =>
            child.id === node.id ? j : []));
    }
    return node.parts.map((part) => parents.has(part.from)
        ? `node/${k}/${part.from}/local/${parents.get(part.from).shift()}` : "derived");
}

export function localNum({local}, ref) {
    return num(local, ref, {formula: ref === "derived" ? "local gradient" : null,
        python: () => printed(literal(local))});
}

/** The additions that made a gradient, in their order, each with what the sum was after it. */
export async function additions(k, node) {
    const locals = await localRefs(k, node);
    const sums = [];
    node.parts.reduce((sum, part, i) => (sums[i] = sum + part.value), 0);
    const items = contributions(node.parts, (part, i) => [
        h("span", {"class": "term"}, localNum(part, locals[i]), " \u00d7 ",
            nodeNum(k, part.from, "grad", part.grad), " = ",
            num(part.value, `node/${k}/${node.id}/part/${i}`)),
        h("span", {"class": "sum"}, "sum ", derived(sums[i], `${i === 0 ? "0"
            : literal(sums[i - 1])} + ${literal(part.value)}`))], "contributions");
    const equal = sameBits(sums[sums.length - 1] ?? node.grad, node.grad);
    return [items, h("p", {"class": "note"}, equal
        ? "Local gradient \u00d7 the gradient of where it was used. Added in the order of their " +
          "numbers, they give the gradient to the last bit." + colours(node.parts)
        : "They do not add up to the gradient.")];
}

/** What reads and predicts where `words` say a position: " (e -> l)"; nothing if they say none. */
function lettersAt(words, tokens) {
    const at = /position (\d+)/.exec(words);
    const d = Number(/document (\d+)/.exec(words)?.[1] ?? 0);
    const pair = at && [0, 1].map((i) => tokens[d]?.[Number(at[1]) + i]);
    return !pair || pair.includes(undefined) ? ""
        : ` (${pair.map((id) => tokenText(id, run.chars)).join(" \u2192 ")})`;
}

/** The uses of a weight: where, by which operation, and what share each gave to its gradient. */
export async function uses(k, id, total) {
    const [node, {tokens}] = await Promise.all([ask("node", k, id), ask("step", k)]);
    if (node.parts.length === 0) {
        return [h("p", null, "No document of this step uses it, so its gradient is ",
            nodeNum(k, id, "grad", total), ".")];
    }
    const parents = await Promise.all(node.parts.slice(0, MOST_PARENTS).map((part) =>
        ask("node", k, part.from)));
    const item = (part, i) => {
        const {what, operation} = parents[i] || {what: `node ${part.from}`, operation: ""};
        const said = !KINDS_OF_NODE[operation] || /product|sum/.test(what);
        const kind = said ? "" : `, ${KINDS_OF_NODE[operation]}`;
        return [h("span", {"class": "term"}, what.replace(/position \d+/, (at) =>
            at + lettersAt(what, tokens)) + kind), num(part.value, `node/${k}/${id}/part/${i}`)];
    };
    return [h("p", null, "It was used in these places, and each gave its share: how fast the " +
        "loss grows through that use."), contributions(node.parts, item, "uses"),
    h("p", {"class": "note"}, "Added in the order of their numbers, they are ",
        nodeNum(k, id, "grad", total), "." + colours(node.parts))];
}
