// A graph that can be read whole, and backward through it in slow motion. The three sources are
// (3 * 4) + 2, an expression of the reader's, and the first nodes of the chosen step's own sweep.
import {button, derived, h, num, replace, scroller, segmented, svg, textInput} from "./kit.js";
import {dataPython, exponentText, gradPython, localPython} from "./formulas.js";
import {literal, printed} from "./python.js";
import {ask, state, subscribe} from "./state.js";

const ACROSS = 168;
const DOWN = 96;
const BOX = {width: 116, height: 74};
const REAL_NODES = 7;
const SIGN = {"*": "\u00d7", "**": "**", "+": "+", log: "log", exp: "exp", relu: "relu"};

/** {nodes: Map, order: [ids], number(id, which, value)} of an expression. */
function ownGraph(answer) {
    const nodes = new Map(answer.nodes.map((node) => [node.id, node]));
    return {nodes, order: Array.from(answer.order),
        number: (id, which, value) => num(value, "typed",
            {formula: `${which} of ${nodes.get(id).what || nodes.get(id).operation}`,
                python: () => which === "data" ? dataPython(nodes.get(id))
                    : gradPython(nodes.get(id))})};
}

/** The same of the first nodes that the chosen step's sweep visits. */
async function realGraph(step) {
    const {nodes: first} = await ask("order", step, 0, REAL_NODES);
    const nodes = new Map(first.map((node) => [node.id, node]));
    const below = first.flatMap(({children}) => children.map((child) => child.id))
        .filter((id) => !nodes.has(id));
    for (const node of await Promise.all(below.map((id) => ask("node", step, id)))) {
        nodes.set(node.id, {...node, children: [], goesOn: node.children.length > 0});
    }
    return {nodes, order: first.map((node) => node.id), real: true,
        number: (id, which, value) => num(value, `node/${step}/${id}/${which}`)};
}

/** Columns from the result, on the right, to what it was computed from. */
function layout({nodes, order}) {
    const depth = new Map(order.length ? [[order[0], 0]] : [[[...nodes.keys()].pop(), 0]]);
    for (const id of order) {
        for (const child of nodes.get(id).children) {
            depth.set(child.id, Math.max(depth.get(child.id) || 0, depth.get(id) + 1));
        }
    }
    const columns = [];
    for (const [id, column] of depth) {
        (columns[column] ||= []).push(id);
    }
    const rows = Math.max(...columns.map((ids) => ids.length));
    const places = new Map();
    columns.forEach((ids, column) => ids.sort((a, b) => a - b).forEach((id, row) =>
        places.set(id, {x: (columns.length - 1 - column) * ACROSS,
            y: (row + (rows - ids.length) / 2) * DOWN})));
    return {places, width: (columns.length - 1) * ACROSS + BOX.width,
        height: (rows - 1) * DOWN + BOX.height};
}

/** All grads after the turns of the first `count` nodes of the order, what was added to each, and
 * what the last one did. */
function gradsAfter({nodes, order}, count) {
    const grads = new Map([[order[0], 1]]);
    const parts = new Map();
    let done = [];
    for (const id of order.slice(0, count)) {
        const node = nodes.get(id);
        done = node.children.map((child, j) => {
            const before = grads.get(child.id) || 0;
            const value = child.local * grads.get(id);
            const earlier = parts.get(child.id) || [];
            grads.set(child.id, before + value);
            parts.set(child.id, [...earlier, {local: child.local, grad: grads.get(id)}]);
            return {child: child.id, j, local: child.local, grad: grads.get(id), before, value,
                earlier, after: before + value};
        });
    }
    return {grads, parts, done};
}

/** Prints a gradient as far as it has been added up. */
function sumPython(parts, value) {
    return () => parts ? gradPython({parts}) : printed(literal(value));
}

function nodeName(node) {
    const sign = SIGN[node.operation];
    return sign ? sign + (node.goesOn ? " \u2026" : "")
        : node.operation === "constant" && (node.what || "").length !== 1 ? "number"
            : node.what || node.operation;
}

function drawGraph(graph, count) {
    const {places, width, height} = layout(graph);
    const {grads, parts} = gradsAfter(graph, count);
    const active = count > 0 ? graph.order[count - 1] : null;
    const visited = new Set(graph.order.slice(0, count));
    const edges = graph.order.flatMap((id) => graph.nodes.get(id).children.map((child, i, all) => {
        const from = places.get(child.id);
        const to = places.get(id);
        const bend = all.length > 1 && all[0].id === all[1]?.id ? (i ? 12 : -12) : 0;
        const [x1, y1] = [from.x + BOX.width, from.y + BOX.height / 2 + bend];
        const [x2, y2] = [to.x, to.y + BOX.height / 2 + bend];
        const middle = (x1 + x2) / 2;
        return svg("path", {"class": "edge" + (id === active ? " hot" : ""),
            d: `M${x1},${y1}C${middle},${y1} ${middle},${y2} ${x2},${y2}`});
    }));
    const boxes = [...places].map(([id, at]) => {
        const node = graph.nodes.get(id);
        const kind = (node.children.length ? "" : " leaf") + (visited.has(id) ? " visited" : "") +
            (id === active ? " hot" : "");
        const box = h("div", {"class": "graph-node" + kind},
            h("div", {"class": "sign"}, nodeName(node), node.operation === "**"
                ? h("span", null, exponentText(node.exponent)) : null),
            h("div", {"class": "pair"}, "data", graph.number(id, "data", node.data)),
            h("div", {"class": "pair"}, "grad", grads.has(id)
                ? graphGrad(graph, id, grads.get(id), parts.get(id)) : h("span", null, "0")));
        box.style.left = at.x + "px";
        box.style.top = at.y + "px";
        return box;
    });
    const frame = h("div", {"class": "graph"}, svg("svg", {width, height, "aria-hidden": "true"},
        edges), boxes);
    frame.style.width = width + "px";
    frame.style.height = height + "px";
    return frame;
}

/** A grad on its way: the node's own number once complete, a partial sum before. */
function graphGrad(graph, id, value, parts) {
    return Object.is(value, graph.nodes.get(id).grad) ? graph.number(id, "grad", value)
        : derived(value, "what has been added so far", {python: sumPython(parts, value)});
}

function plusEquals(graph, count) {
    if (count === 0) {
        return [h("li", null, `backward() sets the grad of the result to 1. All others are 0.`)];
    }
    const id = graph.order[count - 1];
    const {done, parts} = gradsAfter(graph, count);
    const given = sumPython(parts.get(id), 1);
    const node = graph.nodes.get(id);
    return [h("li", null, h("strong", null, nodeName(node)), node.what && graph.real
        ? ` (${node.what})` : "", " has its turn, with grad ",
    derived(done[0]?.grad ?? 1, "complete by now", {python: given}), "."),
    done.map((one) => {
        const child = graph.nodes.get(one.child);
        return h("li", null, `${nodeName(child)}, `, graph.number(one.child, "data", child.data),
            ": grad += ", derived(one.local, "local gradient", {python: () =>
                localPython(node, one.j)}), " \u00d7 ",
            derived(one.grad, "the gradient that is handed on", {python: given}), " = ",
            derived(one.value, `${literal(one.local)} * ${literal(one.grad)}`),
            one.before === 0 ? "" : [", on top of ", derived(one.before, "what was added before",
                {python: sumPython(one.earlier)}), ": ",
            derived(one.after, `${literal(one.before)} + ${literal(one.value)}`)]);
    })];
}

/** The transport: back, next, play, the order list's place. */
function slowMotion(getGraph, show) {
    const at = {count: 0, timer: 0};
    const place = h("span", {"class": "slow-at"});
    const go = (count) => {
        const {order} = getGraph();
        at.count = Math.max(0, Math.min(order.length, count));
        place.textContent = `node ${at.count} of ${order.length}, backward`;
        play.textContent = at.timer ? "Pause" : "Play";
        show(at.count);
    };
    const stop = () => {
        clearInterval(at.timer);
        at.timer = 0;
    };
    const play = button("Play", () => {
        if (at.timer) {
            stop();
            go(at.count);
            return;
        }
        at.timer = setInterval(() => {
            if (at.count + 1 >= getGraph().order.length) {
                stop();
            }
            go(at.count + 1);
        }, 1200);
        go(at.count >= getGraph().order.length ? 0 : at.count);
    });
    const element = h("div", {"class": "slow", role: "group", "aria-label": "Backward, slowly"},
        button("Start", () => {
            stop();
            go(0);
        }), button("Back", () => go(at.count - 1)), button("Next", () => go(at.count + 1),
            {"class": "button main"}), play, place);
    return {element, restart: () => {
        stop();
        go(0);
    }};
}

function keepInView(frame, box) {
    if (box) {
        frame.scrollLeft = box.offsetLeft - (frame.clientWidth - box.offsetWidth) / 2;
    }
}

/** The whole figure. */
export function graphWidget() {
    const now = {source: "small", own: "a*b + a", graph: {nodes: new Map(), order: []}, turn: 0};
    const picture = scroller(h("div", {"class": "graph-scroll", tabindex: "0", role: "region",
        "aria-label": "Graph"}));
    const added = h("ul", {"class": "plus-equals", "aria-live": "polite"});
    const message = h("p", {"class": "sorry", role: "status"});
    const motion = slowMotion(() => now.graph, (count) => {
        if (now.graph.nodes.size) {
            replace(picture, drawGraph(now.graph, count));
            keepInView(picture, picture.querySelector(".hot.graph-node"));
            replace(added, now.graph.order.length ? plusEquals(now.graph, count) : []);
        }
    });
    const load = async () => {
        now.turn += 1;
        const {turn} = now;
        try {
            const graph = now.source === "loss" ? await realGraph(state.step)
                : ownGraph(await ask("expression", now.source === "small" ? "(3*4)+2" : now.own));
            if (turn === now.turn) {
                now.graph = graph;
                message.textContent = graph.nodes.size > 40 ? "That is a large graph; scroll." : "";
                motion.restart();
                picture.scrollLeft = picture.scrollWidth;
            }
        } catch (error) {
            message.textContent = turn === now.turn ? error.message : message.textContent;
        }
    };
    const own = textInput({label: "Your expression", value: now.own, onInput: (text) => {
        now.own = text;
        load();
    }});
    own.hidden = true;
    const sources = segmented({label: "Which graph", value: now.source, options: [
        ["small", "(3 \u00d7 4) + 2"], ["own", "Your own"], ["loss", "The loss of this step"]],
    onPick: (source) => {
        now.source = source;
        own.hidden = source !== "own";
        load();
    }});
    subscribe(() => now.source === "loss" && load(), ["step"]);
    load();
    return [h("div", {"class": "row"}, sources, own), message, picture, motion.element, added];
}
