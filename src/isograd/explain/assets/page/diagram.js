// Act 3, last part: the whole model as a diagram; each part shows its size and its code.
import {code, figure, h, replace, rich, voices} from "./kit.js";
import {fill} from "./pictures.js";
import {squares} from "./schedule.js";
import {parts3, text3} from "../text/act3.js";

const count = (n) => n.toLocaleString("en");

/** The weights of the model: [{name, rows, columns, part}] in the order of drawing. */
export function diagramMatrices(config) {
    const {vocab_size: v, n_embd: c, block_size: t, n_layer: layers} = config;
    const list = [["wte", v, c, "wte"], ["wpe", t, c, "wpe"]];
    if (!config.tie_weights) {
        list.push(["lm_head", v, c, "lmHead"]);
    }
    for (let i = 0; i < layers; i++) {
        list.push([`layer${i}.attn_wq`, c, c, "qkv"], [`layer${i}.attn_wk`, c, c, "qkv"],
            [`layer${i}.attn_wv`, c, c, "qkv"], [`layer${i}.attn_wo`, c, c, "wo"],
            [`layer${i}.mlp_fc1`, 4 * c, c, "fc1"], [`layer${i}.mlp_fc2`, c, 4 * c, "fc2"]);
    }
    return list.map(([name, rows, columns, part]) => ({name, rows, columns, part}));
}

/** What goes through a part, as shapes. */
function shapeOf(part, {n_embd: c, n_head: heads, vocab_size: v}) {
    const dim = c / heads;
    return {
        token: "1", wte: `1 \u2192 ${c}`, wpe: `1 \u2192 ${c}`, rmsnorm: `${c} \u2192 ${c}`,
        qkv: `${c} \u2192 3 \u00d7 ${c}`, attention: `${heads} \u00d7 ${dim}`,
        wo: `${c} \u2192 ${c}`, add: `${c} + ${c}`, fc1: `${c} \u2192 ${4 * c}`,
        relu: `${4 * c}`, fc2: `${4 * c} \u2192 ${c}`, lmHead: `${c} \u2192 ${v}`,
        softmax: `${v} \u2192 ${v}`, loss: `${v} \u2192 1`,
    }[part];
}

/** A piece of the reference: a whole function, or one line. */
function sourceOf({file, from}, sources) {
    const all = (sources[file] || "").split("\n");
    const start = all.findIndex((line) => line.includes(from));
    if (start < 0) {
        return null;
    }
    let stop = start + 1;
    if (all[start].startsWith("def ")) {
        while (stop < all.length && (all[stop] === "" || /^[\s)]/.test(all[stop]))) {
            stop += 1;
        }
    }
    const text = all.slice(start, stop).join("\n").trimEnd();
    const indent = /^ */.exec(text)[0].length;
    return {place: `isograd/reference/${file}, line ${start + 1}`,
        text: text.split("\n").map((line) => line.slice(indent)).join("\n")};
}

/** What a part is called and does in a model like this. */
function saysOf(part, config) {
    const name = part === "lmHead" && config.tie_weights ? "lmHeadTied"
        : part === "relu" && squares(config) ? "relu2" : part;
    return parts3[name];
}

function details(context, part) {
    const {run, lines} = context;
    const mine = diagramMatrices(run.config).filter((matrix) => matrix.part === part);
    const total = mine.reduce((sum, {rows, columns}) => sum + rows * columns, 0);
    const said = saysOf(part, run.config);
    const source = said.file ? sourceOf(said, lines.sources) : null;
    return h("div", {"class": "part-details"},
        h("h4", null, said.name),
        h("p", null, rich(fill(said.says, {bos: "\u25cf"}))),
        mine.length === 0 ? h("p", {"class": "note"}, text3.diagramNone)
            : h("ul", {"class": "matrices"}, mine.slice(0, 12).map(({name, rows, columns}) =>
                h("li", null, h("code", null, name),
                    ` ${rows} \u00d7 ${columns} = ${count(rows * columns)}`)),
            mine.length > 12 ? h("li", null, `and ${mine.length - 12} more`) : null,
            mine.length > 1 ? h("li", null, `together ${count(total)}`) : null),
        source ? [code(source.text), h("p", {"class": "note"}, source.place)] : null);
}

/** The diagram: buttons from top to bottom, the layers in a frame, branches in frames of theirs. */
function drawing(context, pick) {
    const {config} = context.run;
    const buttons = [];
    const part = (name) => {
        const weights = diagramMatrices(config).filter((matrix) => matrix.part === name)
            .reduce((sum, {rows, columns}) => sum + rows * columns, 0);
        const made = h("button", {type: "button", "class": "part" + (weights ? " weighty" : ""),
            "aria-pressed": "false", "data-part": name, onclick: () => pick(name, buttons)},
        h("b", null, saysOf(name, config).name), h("small", null, shapeOf(name, config)),
        weights ? h("em", null, count(weights)) : null);
        buttons.push(made);
        return made;
    };
    const branch = (...names) => h("div", {"class": "branch"},
        h("div", {"class": "branch-parts"}, names.map(part)), part("add"));
    const layers = config.n_layer;
    return h("div", {"class": "diagram"}, part("token"),
        h("div", {"class": "pair"}, part("wte"), part("wpe")), part("rmsnorm"),
        h("div", {"class": "layer-frame"},
            h("p", {"class": "layer-label"}, layers === 1 ? "1 layer" : `${layers} layers, one ` +
                "after the other"),
            branch("rmsnorm", "qkv", "attention", "wo"),
            branch("rmsnorm", "fc1", "relu", "fc2")),
        part("lmHead"), part("softmax"), part("loss"));
}

/** The figure with the diagram. */
export function diagramFigure(context) {
    const {run} = context;
    const {training: documents} = run.data;
    const used = run.steps * run.options.batch_size;
    const dropout = fill(used <= documents ? text3.diagramOnce : text3.diagramAgain,
        {rounds: Math.ceil(used / documents)});
    const side = h("div", {"class": "diagram-side", "aria-live": "polite"});
    const pick = (name, buttons) => {
        buttons.forEach((one) => one.setAttribute("aria-pressed",
            String(one.dataset.part === name)));
        replace(side, details(context, name));
    };
    const picture = drawing(context, pick);
    const first = [...picture.querySelectorAll(".part")];
    pick("attention", first);
    const list = diagramMatrices(run.config);
    return [
        voices(text3.diagramPlain, fill(text3.diagramTechnical, {dropout,
            activation: squares(run.config) ? text3.diagramRelu2 : text3.diagramRelu,
            tying: run.config.tie_weights ? "" : text3.diagramUntied,
            head: run.config.tie_weights ? "the logits" : "`lm_head`"})),
        figure(text3.diagramTitle, h("div", {"class": "diagram-place"}, picture, side),
            fill(text3.diagramSum, {matrices: list.length, total: count(list.reduce(
                (sum, {rows, columns}) => sum + rows * columns, 0))})),
    ];
}
