// Places that follow the state. One that is near the screen is drawn at once; the others wait until
// nothing else is to be done, so that a print, or a jump to another act, finds the chosen step, too.
import {fillIn, h} from "./kit.js";

const FOCUSABLE = "button, input, select, [tabindex]";
// Milliseconds: what takes longer than LARGE to make waits until the reader's hand rests.
const [SOON, LARGE, REST] = [30, 8, 200];
const QUIET = 2000; // milliseconds without a change

const turns = {last: Promise.resolve()};
const background = {places: [], timer: 0};

/** Resolves in a task of its own, after all that asked before: no frame draws everything. */
function ownTurn() {
    turns.last = turns.last.then(() => new Promise((resolve) => {
        setTimeout(resolve);
    }));
    return turns.last;
}

function drawNext() {
    const place = background.places.find(({now}) => now.stale);
    if (place && !document.hidden) {
        const whenIdle = window.requestIdleCallback || setTimeout;
        place.draw().then(() => whenIdle(drawNext));
    }
}

function drawInBackground() {
    clearTimeout(background.timer);
    background.timer = setTimeout(drawNext, QUIET);
}

/**
 * A place that make(answer, state) fills with what load(state) promises, anew after each change of
 * one of `keys`. A `costly` one is drawn only near the screen.
 */
export function live(context, keys, load, make, costly = false) {
    const place = h("div", {"class": "live"});
    const now = {seen: false, stale: true, timer: 0, wait: SOON};
    const draw = () => {
        const state = {...context.state};
        let focused = -1;
        now.stale = false;
        const answered = load(state).then((answer) => ownTurn().then(() => answer));
        return fillIn(place, answered, (answer) => {
            const start = performance.now();
            const content = make(answer, state);
            now.wait = performance.now() - start > LARGE ? REST : SOON;
            focused = [...place.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
            return content;
        }).then(() => focused >= 0 && place.querySelectorAll(FOCUSABLE)[focused]?.focus());
    };
    const drawSoon = () => {
        clearTimeout(now.timer);
        now.timer = setTimeout(() => now.seen && now.stale && draw(), now.wait);
        drawInBackground();
    };
    new IntersectionObserver((entries) => {
        now.seen = entries[entries.length - 1].isIntersecting;
        drawSoon();
    }, {rootMargin: "500px"}).observe(place);
    context.subscribe(() => {
        now.stale = true;
        drawSoon();
    }, keys);
    if (!costly) {
        background.places.push({now, draw});
    }
    fillIn(place, new Promise(() => {}), () => null);
    return place;
}
