// The panel that any number opens: what the number is, its bits, where it comes from, where it
// leads. views.js says what to show of each kind of number; here is the panel around it.
import {hexOf, reprOf} from "../core/numbers.js";
import {hold, inSight} from "./anchor.js";
import {code, h, loading, replace, shortDecimal} from "./kit.js";
import {lines, set, state, subscribe} from "./state.js";
import {view} from "./views.js";

const trail = {list: [], at: -1};
const panel = {element: null, body: null, origin: null, asked: false, turn: 0, step: 0};
const SHEET = "(max-width: 999px)"; // as in panels.css: the inspector lies over the page there

/** What the fragment keeps of a number: its reference, and the value where that says none. */
export function refOf(element) {
    const {ref, hex, formula} = element.dataset;
    panel.origin = panel.element?.contains(element) ? panel.origin : element;
    panel.asked = true;
    const isOwn = ref === "derived" || ref === "typed";
    const said = isOwn ? [formula || "", element.python?.() || ""].map(encodeURIComponent) : [];
    const at = isOwn ? [ref, hex, ...said].join("/") : ref;
    if (at === state.at) {
        takeFocus();
    }
    return at;
}

/** Moves the focus to the panel, so that the next stops of the tab key are in it. */
function takeFocus() {
    panel.asked = false;
    panel.element.focus({preventScroll: true});
}

function follow(at) {
    if (trail.list[trail.at - 1] === at) {
        trail.at -= 1;
    } else if (trail.list[trail.at + 1] === at) {
        trail.at += 1;
    } else if (trail.list[trail.at] !== at) {
        trail.list.splice(trail.at + 1, Infinity, at);
        trail.at += 1;
    }
}

function step(by) {
    const at = trail.list[trail.at + by];
    if (at) {
        set({at}, {push: true});
    }
}

function backToOrigin() {
    if (panel.origin?.isConnected) {
        panel.origin.focus({preventScroll: true});
    }
}

function close() {
    set({at: ""}, {push: true});
    backToOrigin();
}

/** After the last stop in the panel comes the number that opened it, not the page's beginning. */
function leave(event) {
    if (event.key !== "Tab" || event.shiftKey || !panel.origin?.isConnected) {
        return;
    }
    const stops = panel.element.querySelectorAll("button:not(:disabled), [tabindex='0']");
    if (event.target === stops[stops.length - 1]) {
        event.preventDefault();
        backToOrigin();
    }
}

function head() {
    const arrow = (by, text, name) => h("button", {type: "button", "class": "nudge",
        "aria-label": name, onclick: () => step(by), disabled: !trail.list[trail.at + by]}, text);
    return h("div", {"class": "inspector-head"}, arrow(-1, "\u2190", "Back in the inspector"),
        arrow(1, "\u2192", "Forward in the inspector"),
        h("span", {"class": "inspector-name"}, "Inspector"),
        h("button", {type: "button", "class": "nudge close", "aria-label": "Close the inspector",
            onclick: close}, "\u00d7"));
}

/** The number itself: short, in full, and in its bits. */
function valueBlock(value) {
    return h("div", {"class": "value"},
        h("p", {"class": "big-number", "data-hex": hexOf(value)}, shortDecimal(value)),
        h("dl", {"class": "pairs"}, h("dt", null, "decimal"), h("dd", {"class": "hex"},
            reprOf(value)), h("dt", null, "exact (hex)"), h("dd", {"class": "hex"}, hexOf(value))));
}

function section(title, ...content) {
    return h("section", null, h("h4", null, title), content);
}

function sourceLine(site) {
    const line = site === "backward" ? lines.backward : lines.sites[site];
    const title = {init_weights: "The line that drew it", backward: "The line of backward"}[site];
    return line ? section(title || "The line that made it", h("p", {"class": "source-place"},
        `isograd/reference/${line.file}, line ${line.line}`), code(line.text.trim())) : null;
}

/** What a view says, as the panel shows it. */
function content(shown) {
    return [h("p", {"class": "kind"}, shown.kind),
        h("h3", {id: "inspected"}, shown.title),
        shown.value === undefined ? null : valueBlock(shown.value),
        (shown.sections || []).filter(Boolean).map(([title, ...parts]) =>
            section(title, ...parts)),
        shown.site ? sourceLine(shown.site) : null,
        shown.python ? section("The same in Python", code(shown.python)) : null,
        shown.after || null];
}

function markOrigin() {
    document.querySelectorAll(".num.here").forEach((element) => element.classList.remove("here"));
    if (state.at && panel.origin?.isConnected) {
        panel.origin.classList.add("here");
    }
}

/** Opens or closes the panel; what the reader looks at stays where it is, or comes in sight. */
function place(open) {
    const {element} = panel;
    const anchor = inSight(panel.origin);
    let y = anchor?.getBoundingClientRect().top;
    element.hidden = !open;
    document.documentElement.classList.toggle("inspecting", open);
    if (!anchor) {
        return;
    }
    const top = element.getBoundingClientRect().top;
    if (open && anchor === panel.origin && matchMedia(SHEET).matches && y > top - 60) {
        y = (document.getElementById("bar").offsetHeight + top) / 2;
    }
    hold(anchor, y);
}

async function show() {
    const {element} = panel;
    const open = state.at !== "";
    const opens = open && element.hidden;
    if (opens && !panel.asked && document.activeElement?.matches("main *")) {
        panel.origin = document.activeElement;
    }
    if (element.hidden === open) {
        place(open);
    }
    markOrigin();
    if (!open) {
        return;
    }
    const body = panel.body;
    const inside = element.contains(document.activeElement);
    follow(state.at);
    panel.turn += 1;
    const {turn} = panel;
    body.setAttribute("aria-busy", "true");
    replace(element, head(), body);
    if (opens || panel.asked || inside) {
        takeFocus();
    }
    const waiting = setTimeout(() => turn === panel.turn && fillBody([loading("computing")]), 80);
    let parts;
    try {
        parts = content(await view(state.at));
    } catch (error) {
        parts = [h("h3", {id: "inspected"}, "No such number"),
            h("p", {"class": "sorry"}, error.message)];
    }
    clearTimeout(waiting);
    if (turn === panel.turn) {
        fillBody(parts);
        body.removeAttribute("aria-busy");
        element.scrollTop = 0;
    }
}

/** Shows `parts`; the focus stays in the panel if it was in what they replace. */
function fillBody(parts) {
    const inside = panel.body.contains(document.activeElement);
    replace(panel.body, parts);
    if (inside) {
        takeFocus();
    }
}

/** Where a number of the chosen step is shown, the next step's is shown when that is chosen. */
function followStep() {
    const [kind, k, ...rest] = state.at.split("/");
    const followed = ["weight", "loss", "lr"].includes(kind) && Number(k) === panel.step;
    panel.step = state.step;
    if (followed) {
        trail.list[trail.at] = [kind, state.step, ...rest].join("/");
        set({at: trail.list[trail.at]});
    }
}

/** Makes `element` the inspector. */
export function inspector(context, element) {
    panel.element = element;
    panel.body = h("div", {"class": "inspector-body"});
    panel.step = state.step;
    element.addEventListener("keydown", leave);
    subscribe(followStep, ["step"]);
    subscribe(show, ["at"]);
    document.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && state.at) {
            close();
        }
    });
    show();
}
