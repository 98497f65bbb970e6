// Act 3: the model, from a letter to a guess.
import {act, h, num, question, rich} from "./kit.js";
import {attentionFigure, headIn, layerIn} from "./attention.js";
import {diagramFigure} from "./diagram.js";
import {letters} from "./letters.js";
import {live} from "./live.js";
import {argmax, fill, letter, letterName, nodeRef} from "./pictures.js";
import {streamFigure} from "./stream.js";
import {text3} from "../text/act3.js";

/** A position to ask about: one that has others to choose from. */
function askedPosition(n) {
    return Math.min(n - 1, 3);
}

function attentionQuestion(context, picture, state) {
    const {run} = context;
    const at = askedPosition(picture.n);
    const [head, layer] = [headIn(run, state), layerIn(run, state)];
    const field = picture.fields[`layer${layer}.attention`];
    const from = (head * picture.n + at) * picture.n;
    const weights = field.data.subarray(from, from + at + 1);
    const names = Array.from(weights, (_, u) => `${u}: ${letterName(picture.tokens[u], run)}`);
    const weight = (u) => num(weights[u], nodeRef(state.step, field.ids[from + u]));
    if (at === 0) {
        return question({ask: text3.questionShort, options: ["0", "0.5", "1"],
            check: (answer) => ({right: Number(answer) === weights[0],
                say: rich(text3.questionShortSay, {weight: weight(0)})})});
    }
    const best = argmax(weights);
    return question({
        ask: h("span", null, rich(fill(text3.questionAsk, {layer, head, position: at}),
            {letter: letter(picture.tokens[at], run),
                target: letter(picture.tokens[at + 1], run)})),
        options: names,
        check: (answer) => {
            const u = names.indexOf(answer);
            return {right: u === best, say: rich(fill(u === best ? text3.questionRight
                : text3.questionWrong, {head, position: at}), {weight: weight(u)})};
        },
    });
}

export function act3(context) {
    const {ask} = context;
    return act("act3", "Act 3", text3.title, text3.lead,
        letters(context), attentionFigure(context), streamFigure(context),
        diagramFigure(context),
        live(context, ["step", "document", "head", "layer"], ({step, document: d}) =>
            ask("document", step, d), (picture, state) =>
            attentionQuestion(context, picture, state)));
}
