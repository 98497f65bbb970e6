// Act 3, third part: the residual stream, what each stage adds to it and how much that is.
import {derived, figure, h, voices} from "./kit.js";
import {live} from "./live.js";
import {
    fill, largestOf, positionIn, positions, readsAndPredicts, rootMeanSquare, rowOf,
    sentence, strip,
} from "./pictures.js";
import {headName} from "./schedule.js";
import {text3} from "../text/act3.js";

/** The stages of the stream: [field, what is shown beside it, kind]. */
export function streamStages(config) {
    const stages = [["x0", "wte + wpe, normed", "stream"]];
    for (let i = 0; i < config.n_layer; i++) {
        const suffix = config.n_layer > 1 ? ` ${i}` : "";
        stages.push([`layer${i}.attn_out`, `attention${suffix} adds`, "added"],
            [`layer${i}.x_mid`, "stream", "stream"],
            [`layer${i}.mlp_out`, `MLP${suffix} adds`, "added"],
            [`layer${i}.x`, i === config.n_layer - 1 ? `to ${headName(config)}` : "stream", "stream"]);
    }
    return stages;
}

function stageRow(picture, step, at, [name, says, kind], limit, most) {
    const row = rowOf(picture, name, at, step);
    const {size, ...how} = rootMeanSquare(row.data);
    const slope = rootMeanSquare(row.grad);
    const bar = h("i", {"class": `mini-bar ${kind}`, "aria-hidden": "true"});
    bar.style.setProperty("--size", (100 * size / (most || 1)).toFixed(1) + "%");
    return h("div", {"class": `stage ${kind}`},
        h("span", {"class": "stage-name"}, h("b", {"aria-hidden": "true"},
            kind === "added" ? "+" : "="), says),
        strip(row.data, row.ref, limit, says),
        h("span", {"class": "stage-size"}, h("span", {"class": "bar-room"}, bar),
            derived(size, how.formula, {...how, digits: 3})),
        h("span", {"class": "stage-grad"}, derived(slope.size, slope.formula,
            {python: slope.python, digits: 3})));
}

function stages(context, picture, state) {
    const {run} = context;
    const at = positionIn(picture, state);
    const list = streamStages(run.config);
    const vectors = list.map(([name]) => rowOf(picture, name, at, state.step).data);
    const limit = largestOf(...vectors);
    const most = Math.max(...vectors.map((vector) => rootMeanSquare(vector).size));
    return h("div", {"class": "stack"}, positions(context, picture),
        h("div", {"class": "stages"},
            h("div", {"class": "stage heads", "aria-hidden": "true"},
                text3.streamHeads.map((head) => h("span", null, head))),
            list.map((stage) => stageRow(picture, state.step, at, stage, limit, most))),
        sentence(fill(text3.streamCaption, {position: at, step: state.step,
            width: run.config.n_embd}), {letter: readsAndPredicts(picture, at, run)}));
}

/** The figure about the residual stream. */
export function streamFigure(context) {
    const {ask, run} = context;
    return [
        voices(text3.streamPlain, fill(text3.streamTechnical, {width: run.config.n_embd})),
        figure(text3.streamTitle, live(context, ["step", "document", "position"],
            ({step, document: d}) => ask("document", step, d),
            (picture, state) => stages(context, picture, state))),
    ];
}
