// Act 4: learning, from surprise to the nudge.
import {act, h, num, question, rich} from "./kit.js";
import {lifeFigures} from "./life.js";
import {lossFigures, surprises} from "./loss.js";
import {live} from "./live.js";
import {argmax, fill, letter, letterName, shortText} from "./pictures.js";
import {text4} from "../text/act4.js";

function blindQuestion(context, one, step) {
    const vocab = context.run.config.vocab_size;
    const less = one.loss < Math.log(vocab);
    return question({
        ask: fill(text4.questionOne, {step, vocab}), options: [text4.yes, text4.no],
        check: (answer) => ({right: (answer === text4.yes) === less,
            say: rich(fill(text4.questionOneSay, {vocab, guess: Math.log(vocab).toFixed(3)}),
                {loss: num(one.loss, one.ref)})}),
    });
}

function surpriseQuestion(context, picture, document, state) {
    const {run} = context;
    const list = surprises(picture, state.step);
    if (list.length === 1) {
        return blindQuestion(context, list[0], state.step);
    }
    const best = argmax(list.map((one) => one.loss));
    const options = list.map((one) => `${one.t}: ${letterName(one.target, run)}`);
    return question({
        ask: h("span", null, rich(fill(text4.questionAsk, {step: state.step}),
            {document: h("bdi", {"class": "letter"}, shortText(document))})),
        options,
        check: (answer) => {
            const one = list[options.indexOf(answer)];
            const right = one.t === best;
            return {right, say: rich(right ? text4.questionRight : text4.questionWrong, {
                letter: letter(one.target, run), p: num(one.p, one.pRef),
                loss: num(one.loss, one.ref)})};
        },
    });
}

export function act4(context) {
    const {ask, run} = context;
    const {loop, surprise, curve} = lossFigures(context);
    const steps = run.steps.toLocaleString("en");
    return act("act4", "Act 4", text4.title, fill(text4.lead, {steps}),
        loop, surprise, curve, lifeFigures(context),
        live(context, ["step", "document"], ({step, document: d}) =>
            Promise.all([ask("document", step, d), ask("step", step)]), ([picture, step], state) =>
            surpriseQuestion(context, picture, step.documents[state.document], state)));
}
