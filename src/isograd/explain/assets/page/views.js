// What the inspector shows of each kind of number: view("weight/3/wte/0/1/grad") and so on.
// A view is {kind, title, value, sections: [[title, ...content]], site, python, after}.
import {fromHex, reprOf} from "../core/numbers.js";
import {button, derived, h, num, plainDecimal, replace, rich, table, tokenText} from "./kit.js";
import {linePlot} from "./charts.js";
import {
    dataFormula, dataPython, drawPython, gradPython, localPython, localRule, logitPython,
    momentPython, nodeNum, runPython, softmaxPython, validationPython, weightPython,
} from "./formulas.js";
import {weightPlace} from "./field.js";
import {literal, onlyComputes, printed} from "./python.js";
import {goTo} from "./hero.js";
import {hasPart, headName, rateFormula, ratePython} from "./schedule.js";
import {KINDS_OF_NODE, additions, folded, localNum, localRefs, uses} from "./shares.js";
import {ask, run, set, state} from "./state.js";
import {pageText} from "../text/page.js";

const LONG_SUMS = ["dot.sum", "softmax.total", "document_loss.mean", "batch_loss.mean"];

function childrenTable(k, node) {
    const symbol = node.operation === "*" ? "\u00d7" : node.operation;
    return h("table", {"class": "children"}, h("thead", null, h("tr", null,
        h("td", null), ["data", "grad", "local"].map((head) => h("th", {scope: "col"}, head)))),
    h("tbody", null, node.children.map((child, j) => h("tr", null,
        j === 0 && node.children.length > 1 ? h("td", null) : h("th", {scope: "row"}, symbol),
        h("td", null, nodeNum(k, child.id, "data", child.data)),
        h("td", null, nodeNum(k, child.id, "grad", child.grad)),
        h("td", null, num(child.local, `node/${k}/${node.id}/local/${j}`))))));
}

/** The terms of a long sum, found by walking down its first children. */
async function sumTerms(k, node) {
    const terms = [];
    let at = node;
    while (at.operation === "+" && at.site === node.site && at.children.length === 2) {
        terms.unshift(at.children[1]);
        const first = at.children[0];
        at = await ask("node", k, first.id);
        if (at.operation !== "+" || at.site !== node.site) {
            terms.unshift(first);
            break;
        }
    }
    return terms;
}

function wholeSum(k, node) {
    const place = h("div", null);
    const open = button("Show the whole sum so far", async () => {
        const terms = await sumTerms(k, node);
        replace(place, h("p", {"class": "note"}, `${terms.length} terms, added from the left.`),
            h("ol", {"class": "steps-list"}, terms.map((term, i) => h("li", null,
                i === 0 ? "" : "+ ", nodeNum(k, term.id, "data", term.data)))));
    });
    place.append(open);
    return place;
}

function weightLine(k, place) {
    return [h("p", null, `Row ${place.row}, column ${place.column} of `,
        h("code", null, place.name), "."),
    button("This weight's step and its history", () => set({
        at: `weight/${k}/${place.name}/${place.row}/${place.column}/after`}, {push: true}))];
}

function nodeLinks(k, node, ...which) {
    const names = {data: "Its data: ", grad: "Its gradient: "};
    return ["See also", which.map((field) => h("p", null, names[field],
        nodeNum(k, node.id, field, node[field])))];
}

function localView(k, node, base, j) {
    const which = node.children.length === 1 ? "its only child" : j === 0 ? "its first child"
        : "its second child";
    return {...base, kind: `Local gradient, step ${k}`, value: node.children[j].local, sections: [
        ["What it is", h("p", null, `How fast this node grows with ${which}.`),
            h("p", null, `For ${KINDS_OF_NODE[node.operation] || node.operation} it is ${
                localRule(node, j)}.`)],
        ["Children", childrenTable(k, node)], nodeLinks(k, node, "data", "grad")],
    python: localPython(node, j)};
}

async function partView(k, node, base, j) {
    const part = node.parts[j];
    const locals = await localRefs(k, node);
    return {...base, value: part.value,
        kind: `Contribution ${j + 1} of ${node.parts.length} to a gradient, step ${k}`,
        sections: [["How it was computed", h("p", {"class": "formula"}, localNum(part, locals[j]),
            " \u00d7 ", nodeNum(k, part.from, "grad", part.grad)), h("p", {"class": "note"},
            "local gradient \u00d7 the gradient of the node where it was used")],
        nodeLinks(k, node, "data", "grad")], python: gradPython({parts: [part]})};
}

function dataSections(k, node, place) {
    const formula = dataFormula(k, node);
    return [
        formula ? ["How it was computed", h("p", {"class": "formula"}, formula),
            LONG_SUMS.includes(node.site) && node.operation === "+" ? wholeSum(k, node) : null]
            : null,
        place ? ["A weight", weightLine(k, place)] : null,
        node.children.length ? ["Children", childrenTable(k, node)] : null,
        nodeLinks(k, node, "grad"), usedBy(k, node)];
}

async function gradSections(k, node, place) {
    const start = node.grad === 1 ? "backward() begins here, with 1."
        : "Nothing was added: the loss does not depend on it.";
    return [
        node.parts.length ? ["Added up in this order", await additions(k, node)]
            : ["Where it starts", h("p", null, start)],
        place ? ["A weight", weightLine(k, place)] : null,
        nodeLinks(k, node, "data"),
        node.children.length ? ["Handed on to its children", childrenTable(k, node)] : null];
}

async function nodeView(k, id, which, j) {
    const node = await ask("node", k, id);
    const place = node.operation === "weight" ? await ask("weightAt", id) : null;
    const title = place ? weightPlace(place.name, place.row, place.column) : node.what;
    const base = {title, site: node.site};
    if (which === "local" && node.children[j]) {
        return localView(k, node, base, j);
    }
    if (which === "part" && node.parts[j]) {
        return partView(k, node, base, j);
    }
    if (which !== "data" && which !== "grad") {
        throw new Error(pageText.inspectorEmpty);
    }
    const isData = which === "data";
    return {...base, kind: isData ? `A number of step ${k}` : `Gradient of this number, step ${k}`,
        site: isData ? node.site : "backward", value: node[which],
        sections: isData ? dataSections(k, node, place) : await gradSections(k, node, place),
        python: isData ? nodePython(k, node, place) : gradPython(node)};
}

function nodePython(k, node, place) {
    return place ? weightPython(k, place.name, place.row, place.column, "before", {})
        : dataPython(node);
}

function usedBy(k, node) {
    if (!node.users.length) {
        return null;
    }
    const parts = new Map(node.parts.map((part) => [part.from, part]));
    return ["Used by", folded([...node.users], (user) => h("li", null, parts.has(user)
        ? ["node ", String(user), ", gradient ", nodeNum(k, user, "grad", parts.get(user).grad)]
        : button(`node ${user}`, () => set({at: `node/${k}/${user}/data`}, {push: true}))),
    "users")];
}

const PARTS = {
    before: "Weight before the step", grad: "Gradient of a weight", m: "First moment, m",
    v: "Second moment, v", mHat: "First moment, corrected", vHat: "Second moment, corrected",
    lr: "Learning rate", change: "Change of a weight", after: "Weight after the step",
    clipping: "Factor of all gradients", clipped: "Gradient of a weight, clipped",
    decayed: "Decayed weight",
};

/** Why the weight moved, in a sentence. */
export function moveSentence(k, at, w) {
    const of = (which) => num(w[which], `${at}/${which}`);
    const decay = hasPart(run.options, "decayed")
        ? [" ", rich(pageText.decayed, {before: of("before"), decayed: of("decayed")})] : "";
    if (w.change === 0) {
        return h("p", null, rich(pageText.stayed, {step: String(k)}), decay);
    }
    return h("p", null, rich(w.mHat > 0 ? pageText.movedDown : pageText.movedUp,
        {step: String(k), change: of("change"), mean: of("mHat")}), decay);
}

function ledgerRows(k, at, w, old, current) {
    const {beta1, beta2, eps} = run.options;
    const of = (which) => num(w[which], `${at}/${which}`);
    const power = (beta) => [reprOf(beta), h("sup", null, String(k)), ")"];
    const {weight_decay: decay} = run.options;
    const decays = hasPart(run.options, "decayed");
    return [
        ["before", "weight before", null],
        ["grad", hasPart(run.options, "clipped") ? "gradient" : "gradient g", null],
        ["clipped", "g, clipped gradient", ["gradient \u00d7 ", of("clipping")]],
        ["m", "m, mean of g", [`${reprOf(beta1)} \u00d7 `, old.m,
            ` + ${plainDecimal(1 - beta1)} \u00d7 g`]],
        ["v", "v, mean of g\u00b2", [`${reprOf(beta2)} \u00d7 `, old.v,
            ` + ${plainDecimal(1 - beta2)} \u00d7 g\u00b2`]],
        ["mHat", "m\u0302, m corrected", ["m / (1 \u2212 ", power(beta1)]],
        ["vHat", "v\u0302, v corrected", ["v / (1 \u2212 ", power(beta2)]],
        ["lr", "learning rate", rateFormula(run.options, k).text],
        ["decayed", "decayed weight", `weight before \u00d7 (1 \u2212 rate \u00d7 ${
            reprOf(decay)})`],
        ["change", "change", `\u2212 rate \u00d7 m\u0302 / (\u221av\u0302 + ${reprOf(eps)})`],
        ["after", "weight after", `${decays ? "decayed weight" : "weight before"} + change`],
    ].filter(([which]) => hasPart(run.options, which)).map(([which, label, formula]) => h("tr",
        {"class": which === current ? "current" : null}, h("th", {scope: "row"}, label),
        h("td", {"class": "how"}, formula), h("td", null, of(which))));
}

/** The life of one weight; a click on the plot goes to that step. */
function historyPlot(name, row, column, which) {
    const place = h("div", {"class": "history"}, h("p", {"class": "loading"}, "replaying\u2026"));
    const shown = ["lr", "change", "before", "decayed"].includes(which) ? "after" : which;
    ask("history", name, row, column).then((history) => {
        const plot = linePlot({series: [{y: history[shown],
            ref: (i) => `weight/${i + 1}/${name}/${row}/${column}/${shown}`}], height: 170,
        at: state.step - 1, label: `${PARTS[shown]}, over all steps`,
        marks: [{x: state.step}], onPick: (i) => set({step: i + 1,
            at: `weight/${i + 1}/${name}/${row}/${column}/${which}`}, {push: true})});
        replace(place, plot, h("p", {"class": "note"}, "Click or press Enter to go to a step."));
    }).catch((error) => replace(place, h("p", {"class": "sorry"}, error.message)));
    return [h("p", {"class": "note"}, `${PARTS[shown]}, over all steps.`), place];
}

async function weightView(k, name, row, column, which) {
    const [w, id] = await Promise.all([ask("weight", name, row, column, k),
        ask("weightId", name, row, column)]);
    const at = `weight/${k}/${name}/${row}/${column}`;
    const before = k > 1 ? await ask("weight", name, row, column, k - 1) : {m: 0, v: 0};
    const older = `weight/${k - 1}/${name}/${row}/${column}`;
    const old = k > 1 ? {m: num(before.m, `${older}/m`), v: num(before.v, `${older}/v`)}
        : {m: "0", v: "0"};
    const python = which === "grad" ? gradPython(await ask("node", k, id))
        : which === "m" || which === "v" ? momentPython(which, before, w)
            : weightPython(k, name, row, column, which, w);
    return {kind: `${PARTS[which]}, step ${k}`, title: weightPlace(name, row, column),
        value: w[which], python, site: which === "grad" ? "backward" : null,
        sections: [
            ["What happened", moveSentence(k, at, w)],
            [`Step ${k} of this weight`, h("table", {"class": "ledger"}, h("tbody", null,
                ledgerRows(k, at, w, old, which)))],
            ["Why it has this gradient", ...await uses(k, id, w.grad)],
            ["Its life", historyPlot(name, row, column, which)],
        ]};
}

async function lossView(k) {
    const [answer, root, [most]] = await Promise.all([ask("step", k), ask("order", k, 0, 1),
        ask("moved", k, 1)]);
    const node = root.nodes[0];
    const weight = `weight/${k}/${most.name}/${most.row}/${most.column}`;
    return {kind: "Loss", title: `Loss of step ${k}`, value: answer.loss, sections: [
        ["What it is", h("p", null, "The mean surprise, \u2212log p, over the characters of ",
            answer.documents.map((text, i) => [i ? ", " : "", h("bdi", {"class": "letter"},
                text.slice(0, 40))]), ".")],
        ["The root of the graph", h("p", null, "Every number of the step leads here: ",
            nodeNum(k, node.id, "data", node.data), ", gradient ",
            nodeNum(k, node.id, "grad", node.grad))],
        ["What it led to", h("p", null, `The weight ${weightPlace(most.name, most.row,
            most.column)} moved most: by `, num(most.change, `${weight}/change`), ".")],
        state.step === k ? null : ["This step", button(`Show step ${k} on the page`,
            () => set({step: k}))],
    ], site: node.site, python: runPython(k, "print(losses[-1].hex())")};
}

async function rateView(k) {
    const {lr} = await ask("step", k);
    const o = run.options;
    return {kind: "Learning rate", title: `Learning rate of step ${k}`, value: lr, sections: [
        ["How it was computed", h("p", {"class": "formula"}, num(o.lr, "header/options.lr"),
            rateFormula(o, k).text.slice(reprOf(o.lr).length))]],
    python: ratePython(o, k)};
}

/** What the model was worth after step k on documents that no step learned from. */
function validationView(k) {
    const i = run.validation.steps.indexOf(k);
    if (i < 0) {
        throw new Error(pageText.inspectorEmpty);
    }
    return {kind: "Validation loss", title: `Validation loss after step ${k}`,
        value: run.validation.losses[i], sections: [["What it is", h("p", null,
            rich(pageText.validation, {judging: run.data.judging.toLocaleString("en")})),
        h("p", {"class": "note"}, pageText.notReplayed)]], python: validationPython(k)};
}

/** exp(logit / temperature - the largest) over their sum, with the numbers. */
function softmaxSections(logits, probabilities, token, temperature, ref) {
    const scaled = logits.map((x) => x / temperature);
    const top = scaled.reduce((a, b) => Math.max(a, b), -Infinity);
    return [["How it was computed", temperature === 0
        ? h("p", null, "At temperature 0 the largest logit wins.")
        : [h("p", {"class": "formula"}, "exp(", num(logits[token], ref(token)), ` / ${
            reprOf(temperature)} \u2212 `, derived(top, `the largest logit / ${
            reprOf(temperature)}`, {python: () => printed(`${literal(logits.reduce((a, b) =>
            Math.max(a, b)))} / ${reprOf(temperature)}`)}), ") / total"), h("p", {"class": "note"},
        `total: the same, summed over all ${logits.length} tokens`)]],
    ["Beside it", h("p", null, "logit ", num(logits[token], ref(token)), ", probability ",
        num(probabilities[token], ref(token).replace("logit", "probability")))]];
}

const WORDS = {logit: "The logit", probability: "The probability",
    cumulated: "The probabilities up to that"};

async function sampleView(i, j, which, token) {
    const sample = (await ask("samples"))[i];
    const one = sample?.steps[j];
    if (!one) {
        throw new Error(pageText.inspectorEmpty);
    }
    const at = `sample/${i}/${j}`;
    const name = (id) => tokenText(id, run.chars);
    const title = `Sample ${i + 1}, \u201c${sample.text.slice(0, 30)}\u201d, position ${j}`;
    if (which === "draw" && one.draw === null) {
        return {kind: "No draw", title, sections: [["At temperature 0", h("p", null,
            pageText.greedy, " Here that was ", h("span", {"class": "letter"}, name(one.token)),
            ", with the logit ", num(one.logits[one.token], `${at}/logit/${one.token}`), ".")],
        sampleSteps(sample, i)]};
    }
    if (which === "draw") {
        const low = one.token > 0 ? one.cumulated[one.token - 1] : 0;
        return {kind: "A random draw", title, value: one.draw, sections: [
            ["What it decided", h("p", null, pageText.drawing), h("p", {"class": "formula"},
                "draw \u00d7 total = ",
                derived(one.draw * one.total, `${reprOf(one.draw)} * ${reprOf(one.total)}`)),
            h("p", null, "It falls between ", one.token > 0 ? num(low,
                `${at}/cumulated/${one.token - 1}`) : "0", " and ", num(one.cumulated[one.token],
                `${at}/cumulated/${one.token}`), ": that stretch belongs to ",
            h("span", {"class": "letter"}, name(one.token)), ", with probability ",
            num(one.probabilities[one.token], `${at}/probability/${one.token}`), "."),
            h("p", null, button("Show all letters on the page", () => {
                set({sample: `${i}.${j}`});
                goTo(document.querySelector("[data-drawn]")?.closest(".figure").id ?? "act5");
            }))],
            sampleSteps(sample, i)], python: drawPython(i, j)};
    }
    const field = {probability: "probabilities", cumulated: "cumulated", logit: "logits"}[which];
    const before = token > 0 ? one.cumulated[token - 1] : 0;
    const sections = which === "cumulated" ? [["How it was computed", h("p", {"class": "formula"},
        token > 0 ? num(before, `${at}/cumulated/${token - 1}`) : "0", " + ",
        num(one.probabilities[token], `${at}/probability/${token}`))]]
        : which === "probability" ? softmaxSections(one.logits, one.probabilities, token,
            run.options.temperature, (t) => `${at}/logit/${t}`)
            : [["What it is", h("p", null, "The model's score for this token: the last product " +
                `of ${headName(run.config)}'s row with x.`)]];
    return {kind: `${WORDS[which]} of ${name(token)}`, title, value: one[field][token],
        sections: [...sections, sampleSteps(sample, i)],
        python: which === "logit" ? logitPython(run.kept,
            [run.chars.length, ...sample.steps.slice(0, j).map((step) => step.token)], token)
            : softmaxPython(one.logits, run.options.temperature, token, which === "cumulated")};
}

/** From where to where the drawn letter's stretch goes: [from, to). */
function stretch(one, at) {
    const low = one.token > 0 ? num(one.cumulated[one.token - 1],
        `${at}/cumulated/${one.token - 1}`, {digits: 3}) : "0";
    return h("span", {"class": "whole"}, "[", low, ", ", num(one.cumulated[one.token],
        `${at}/cumulated/${one.token}`, {digits: 3}), ")");
}

function sampleSteps(sample, i) {
    const greedy = sample.steps.some((one) => one.draw === null);
    const heads = greedy ? ["letter", "logit", "probability"]
        : ["letter", "draw", "[from, to)", "probability"];
    const row = (one, j) => {
        const at = `sample/${i}/${j}`;
        return [h("span", {"class": "letter"}, tokenText(one.token, run.chars)),
            ...greedy ? [num(one.logits[one.token], `${at}/logit/${one.token}`)]
                : [num(one.draw, `${at}/draw`, {digits: 3}), stretch(one, at)],
            num(one.probabilities[one.token], `${at}/probability/${one.token}`, {digits: 3})];
    };
    return ["All characters of this sample", [table(heads, sample.steps.map(row),
        {label: "All characters of this sample", "class": "letters-drawn"}),
    greedy ? null : h("p", {"class": "note"}, pageText.stretches)]];
}

async function predictView(k, temperature, tokens, which, token) {
    const prefix = tokens.split("-").map(Number);
    const answer = await ask("predict", prefix, temperature, k);
    const ref = (t) => `predict/${k}/${temperature}/${tokens}/logit/${t}`;
    const text = prefix.map((id) => tokenText(id, run.chars)).join("");
    return {kind: `${WORDS[which]} of ${tokenText(token, run.chars)}`,
        title: `What follows ${text}, after step ${k}`,
        value: (which === "logit" ? answer.logits : answer.probabilities)[token],
        sections: which === "logit" ? [["What it is", h("p", null,
            "The model's score for this token, before softmax.")]]
            : softmaxSections(answer.logits, answer.probabilities, token, temperature, ref),
        python: which === "logit" ? logitPython(k, prefix, token)
            : temperature === 0 ? null : softmaxPython(answer.logits, temperature, token)};
}

async function drawView(seed, i) {
    const draws = await ask("draws", seed, i + 1);
    return {kind: "A random number", title: `Draw ${i + 1} of random.Random(${seed})`,
        value: draws[i], sections: [["What it is", h("p", null,
            "Python's Mersenne Twister, seeded with this number, gives the same draws " +
            "everywhere. Two 32-bit words make one double: (a \u00d7 2\u00b2\u2076 + b) / " +
            "2\u2075\u00b3, with 27 and 26 bits.")]],
        python: `import random\nrng = random.Random(${seed})\nfor _ in range(${i + 1}):\n` +
            "    x = rng.random()\nprint(x.hex())"};
}

function headerView(path) {
    const value = path.split(".").reduce((object, key) => object?.[key], run);
    if (typeof value !== "number") {
        throw new Error(pageText.inspectorEmpty);
    }
    return {kind: "An option of the run", title: path.split(".").pop(), value, sections: [
        ["Where it comes from", h("p", null, "You chose it, or isograd did: ",
            h("code", null, run.command))]], python: `print(float(${reprOf(value)}).hex())`};
}

function ownView(kind, hex, ...said) {
    const [text, python] = said.map((part) => decodeURIComponent(part || ""));
    if (text.startsWith(pageText.compareOther)) {
        return {kind: "A number of the other run", title: text.slice(pageText.compareOther.length),
            value: fromHex(hex), sections: [["Where it comes from", h("p", null,
                "It stands in that run's page, which can tell more of it: open it there.")]]};
    }
    return {kind: kind === "typed" ? "Your own number" : "Computed on this page",
        title: kind === "typed" ? "You typed this, or it follows from it" : "A derived number",
        value: fromHex(hex), sections: [text ? ["How it was computed", h("p",
            {"class": "formula"}, text)] : null], python: onlyComputes(python) ? python : ""};
}

/** What to show of the number at `ref`. */
export async function view(ref) {
    const parts = ref.split("/");
    const n = (i) => Number(parts[i]);
    switch (parts[0]) {
    case "node": return nodeView(n(1), n(2), parts[3], n(4));
    case "weight": return weightView(n(1), parts[2], n(3), n(4), parts[5]);
    case "loss": return lossView(n(1));
    case "lr": return rateView(n(1));
    case "validation": return validationView(n(1));
    case "sample": return sampleView(n(1), n(2), parts[3], n(4));
    case "predict": return predictView(n(1), n(2), parts[3], parts[4], n(5));
    case "draw": return drawView(parts[1], n(2));
    case "header": return headerView(parts.slice(1).join("/"));
    case "typed": case "derived": return ownView(parts[0], parts[1], parts[2], parts[3]);
    default: throw new Error(pageText.inspectorEmpty);
    }
}
