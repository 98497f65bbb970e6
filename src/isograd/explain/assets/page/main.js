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
import {hero} from "./hero.js";
import {inspector, refOf} from "./inspector.js";
import {h, replace} from "./kit.js";
import {receipt} from "./receipt.js";
import {ask, lines, openRun, run, set, state, subscribe} from "./state.js";

function applyLook() {
    document.documentElement.dataset.voice = state.voice;
    if (state.theme) {
        document.documentElement.dataset.theme = state.theme;
    } else {
        delete document.documentElement.dataset.theme;
    }
}

function showAct() {
    const section = document.getElementById(state.act);
    if (section) {
        section.scrollIntoView();
        section.querySelector("h2")?.focus({preventScroll: true});
    }
}

function openInspector(event) {
    const number = event.target.closest("[data-ref]");
    if (number && !event.defaultPrevented) {
        set({at: refOf(number)}, {push: true});
    }
}

/** Keeps the fragment's act up to date with what is on the screen. */
function followScroll(sections) {
    const watcher = new IntersectionObserver((entries) => {
        for (const entry of entries) {
            if (entry.isIntersecting) {
                document.dispatchEvent(new CustomEvent("act", {detail: entry.target.id}));
            }
        }
    }, {rootMargin: "-40% 0px -55% 0px"});
    sections.forEach((section) => watcher.observe(section));
}

function build() {
    const context = {state, subscribe, set, ask, run, lines};
    const makers = [act1, act2, act3, act4, act5, theEnd, receipt, compare, consoleHelp];
    const acts = makers.map((make) => make(context));
    bar(context, document.getElementById("bar"));
    inspector(context, document.getElementById("inspector"));
    replace(document.getElementById("main"), hero(context), acts);
    document.addEventListener("click", openInspector);
    followScroll(acts);
    subscribe(applyLook, ["voice", "theme"]);
    subscribe(showAct, ["act"]);
    applyLook();
    if (state.act) {
        showAct();
    }
    document.documentElement.dataset.ready = "true";
}

async function start() {
    try {
        await openRun();
        window.isograd = consoleFace();
        build();
    } catch (error) {
        replace(document.getElementById("opening"), h("h1", null, "This page cannot be read."),
            h("p", {"class": "sorry", role: "alert"}, error.message));
        document.documentElement.dataset.ready = "failed";
    }
}

start();
