// The bar that stays: the run's card, the step, the document and the position in it, the voice,
// the theme, Verify.
import {choice, h, replace, segmented, tokenText} from "./kit.js";
import {contentsList, facts, goTo} from "./hero.js";
import {verificationText, verifyRun, watchVerification} from "./receipt.js";
import {ask, run, set, state, subscribe} from "./state.js";

const FOLLOWED = 80; // milliseconds between the steps that the page shows while the slider moves
const SCROLLED = 40; // pixels after which the reader has gone elsewhere

/** Makes `opener` open and close `panel` by show(open); Esc, presses elsewhere, scrolling close. */
function opens(opener, panel, show) {
    const now = {open: false, y: 0};
    const turn = (open) => {
        Object.assign(now, {open, y: window.scrollY});
        opener.setAttribute("aria-expanded", String(open));
        show(open);
    };
    turn(false);
    opener.addEventListener("click", () => turn(!now.open));
    document.addEventListener("pointerdown", (event) => {
        if (now.open && !panel.contains(event.target) && !opener.contains(event.target)) {
            turn(false);
        }
    });
    window.addEventListener("scroll", () => {
        if (now.open && Math.abs(window.scrollY - now.y) > SCROLLED) {
            turn(false);
        }
    }, {passive: true});
    document.addEventListener("keydown", (event) => {
        if (now.open && event.key === "Escape") {
            event.stopPropagation(); // the inspector stays
            turn(false);
            opener.focus({preventScroll: true});
        }
    }, {capture: true});
    return () => turn(false);
}

function card() {
    const opener = h("button", {type: "button", "class": "card-button"},
        h("strong", null, "isograd"), h("span", null, `${run.data.name}, seed ${
            run.options.seed.length > 9 ? run.options.seed.slice(0, 8) + "\u2026"
                : run.options.seed}`));
    const panel = h("div", {"class": "popover"});
    const close = opens(opener, panel, (open) => {
        if (open && !panel.firstChild) {
            replace(panel, facts(), contentsList(() => close(), true));
        }
        panel.hidden = !open;
    });
    panel.addEventListener("click", (event) => event.target.closest("[data-ref]") && close());
    return h("div", {"class": "card"}, opener, panel);
}

/** Takes the page to where the slider is, and again while it is moved, as fast as answers come. */
async function followSlider(input) {
    do {
        await new Promise((resolve) => setTimeout(resolve, FOLLOWED));
        set({step: Number(input.value)});
        await ask("step", state.step).catch(() => {}); // whoever shows the step says so
    } while (Number(input.value) !== state.step);
}

function stepControl() {
    const {steps} = run;
    const input = h("input", {type: "range", min: 1, max: steps, step: 1, "aria-label": "Step",
        "class": "step-slider"});
    const field = h("input", {type: "number", min: 1, max: steps, "aria-label": "Step number",
        "class": "step-field"});
    const by = (text, name, distance) => h("button", {type: "button", "class": "nudge",
        "aria-label": name, onclick: () => set({step: state.step + distance})}, text);
    const show = () => {
        input.value = state.step;
        field.value = state.step;
        input.setAttribute("aria-valuetext", `step ${state.step} of ${steps}`);
        input.style.setProperty("--share", String(steps > 1 ? (state.step - 1) / (steps - 1) : 1));
    };
    const dragging = {now: false};
    input.addEventListener("input", () => {
        field.value = input.value;
        input.style.setProperty("--share", String((input.value - 1) / Math.max(1, steps - 1)));
        if (!dragging.now) {
            dragging.now = true;
            followSlider(input).finally(() => {
                dragging.now = false;
            });
        }
    });
    field.addEventListener("change", () => {
        set({step: Number(field.value)});
        show();
    });
    subscribe(show, ["step"]);
    show();
    return h("div", {"class": "step-control", role: "group", "aria-label": "Step"},
        h("span", {"class": "bar-word"}, "Step"), by("\u2039", "Step before", -1), input,
        by("\u203a", "Next step", 1), field,
        h("span", {"class": "of"}, `of ${steps.toLocaleString("en")}`));
}

function positionLetters(tokens) {
    const n = Math.min(run.config.block_size, tokens.length - 1);
    const now = Math.min(state.position, n - 1);
    return h("fieldset", {"class": "letters"}, h("legend", {"class": "away"}, "Position"),
        Array.from({length: n}, (_, i) => h("label", {"class": "letter-choice"},
            h("input", {type: "radio", name: "position", value: i, checked: i === now,
                "aria-label": `position ${i}: reads ${i === 0 ? "start" : tokenText(tokens[i],
                    run.chars)}, predicts ${tokenText(tokens[i + 1], run.chars)}`,
                onchange: () => set({position: i})}),
            h("span", null, tokenText(tokens[i], run.chars)))),
        h("span", {"class": "reads"}, `\u2192 ${tokenText(tokens[now + 1], run.chars)}`));
}

/** The step's documents and, of the chosen one, the position that predicts. */
function placeControl() {
    const place = h("div", {"class": "place-control", role: "group",
        "aria-label": "Document and position"});
    const show = async () => {
        const step = state.step;
        let answer;
        try {
            answer = await ask("step", step);
        } catch (error) {
            replace(place, h("span", {"class": "sorry"}, error.message));
            return;
        }
        if (step !== state.step) {
            return;
        }
        const focused = place.contains(document.activeElement) &&
            document.activeElement.type === "radio";
        const d = Math.min(state.document, answer.tokens.length - 1);
        replace(place, h("span", {"class": "bar-word"}, "Reading"),
            answer.documents.length > 1 ? choice({label: h("span", {"class": "away"}, "Document"),
                options: answer.documents.map((text, i) => [i, text.slice(0, 24) || "(empty)"]),
                value: d, onPick: (i) => set({document: i})}) : null,
            positionLetters(answer.tokens[d]));
        if (focused) {
            place.querySelector("input:checked")?.focus();
        }
    };
    subscribe(show, ["step", "document", "position"]);
    show();
    return place;
}

function themeButton() {
    const isDark = () => state.theme === "dark" || (state.theme === "" &&
        matchMedia("(prefers-color-scheme: dark)").matches);
    const element = h("button", {type: "button", "class": "theme", "aria-label": "Dark theme",
        onclick: () => set({theme: isDark() ? "light" : "dark"})}, h("i", null));
    const show = () => element.setAttribute("aria-pressed", String(isDark()));
    subscribe(show, ["theme"]);
    show();
    return element;
}

function voiceControl() {
    const element = segmented({label: "Voice", value: state.voice, onPick: (voice) => set({voice}),
        options: [["plain", "Plain"], ["technical", "Technical"], ["both", "Both"]]});
    subscribe(() => element.set(state.voice), ["voice"]);
    return element;
}

function verifyButton() {
    const element = h("button", {type: "button", "class": "button main verify"});
    watchVerification((now) => {
        element.textContent = verificationText(now);
        element.onclick = () => now.status === "none" ? verifyRun() : goTo("receipt");
        element.classList.toggle("good", now.status === "done" && now.result.different === 0);
        element.classList.toggle("bad", now.status === "done" && now.result.different > 0);
    });
    return element;
}

/** Fills the bar. */
export function bar(context, element) {
    const more = h("button", {type: "button", "class": "more", "aria-label": "Voice"}, "\u2026");
    const voice = voiceControl();
    const close = opens(more, voice, (open) => element.classList.toggle("open", open));
    subscribe(close, ["voice"]);
    replace(element, card(), stepControl(), h("div", {"class": "bar-more"}, placeControl(),
        voice), more, themeButton(), verifyButton());
    new ResizeObserver(() => {
        document.documentElement.style.setProperty("--bar", element.offsetHeight + "px");
    }).observe(element);
}
