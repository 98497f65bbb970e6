// Builds the page when the run has been read: the hero, the acts, the end; wires numbers to the
// inspector, state to theme and voice, and gives the console its `isograd`.
import {act1} from "./act1.js";
import {act2} from "./act2.js";
import {act3} from "./act3.js";
import {act4} from "./act4.js";
import {act5} from "./act5.js";
import {bar} from "./bar.js";
import {compare} from "./compare.js";
import {consoleFace, consoleHelp} from "./console.js";
import {theEnd} from "./end.js";
import {goTo, hero, showAct} from "./hero.js";
import {inspector, refOf} from "./inspector.js";
import {h, replace, seeTheRest} from "./kit.js";
import {receipt} from "./receipt.js";
import {ask, lines, openRun, run, set, state, subscribe} from "./state.js";

const UNSEEN_FOR = 1500; // milliseconds until what nobody has seen is drawn for a print

function applyLook() {
    document.documentElement.dataset.voice = state.voice;
    if (state.theme) {
        document.documentElement.dataset.theme = state.theme;
    } else {
        delete document.documentElement.dataset.theme;
    }
}

function openInspector(event) {
    const number = event.target.closest("[data-ref]");
    if (number && !event.defaultPrevented) {
        set({at: refOf(number)}, {push: true});
    }
}

/** Lets the browser paint and listen. */
function breathe() {
    return new Promise((resolve) => setTimeout(resolve));
}

function listen() {
    document.addEventListener("click", openInspector);
    document.getElementById("skip").addEventListener("click", (event) => {
        event.preventDefault();
        goTo("act1");
    });
    subscribe(applyLook, ["voice", "theme"]);
    subscribe(() => showAct(state.act), ["act"]);
}

/** Builds the page, an act at a time. */
async function build() {
    const context = {state, subscribe, set, ask, run, lines};
    const main = document.getElementById("main");
    applyLook();
    bar(context, document.getElementById("bar"));
    replace(main, hero(context));
    inspector(context, document.getElementById("inspector"));
    listen();
    for (const make of [act1, act2, act3, act4, act5, theEnd, receipt, compare, consoleHelp]) {
        await breathe();
        main.append(make(context));
    }
    if (state.act) {
        showAct(state.act);
    }
    document.documentElement.dataset.ready = "true";
    setTimeout(seeTheRest, UNSEEN_FOR);
}

async function start() {
    try {
        await openRun();
        window.isograd = consoleFace();
        await build();
    } catch (error) {
        replace(document.getElementById("opening"), h("h1", null, "This page cannot be read."),
            h("p", {"class": "sorry", role: "alert"}, error.message));
        document.documentElement.dataset.ready = "failed";
    }
}

start();
