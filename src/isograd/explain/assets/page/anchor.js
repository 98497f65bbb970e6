// Keeps what the reader looks at where it is on the screen, while the page around it is laid out
// anew because the inspector opens or closes.

const LASTS = 800; // milliseconds: figures that follow their width do so a little later
const held = {stop: () => {}};

/** Scrolls so that `element` stands at `y` of the screen, until all is settled or one scrolls. */
export function hold(element, y) {
    held.stop();
    const until = performance.now() + LASTS;
    let going = true;
    const root = document.documentElement;
    root.style.overflowAnchor = "none"; // or the browser would hold something else
    held.stop = () => {
        going = false;
        root.style.overflowAnchor = "";
    };
    for (const event of ["wheel", "pointerdown", "keydown", "touchstart", "popstate"]) {
        window.addEventListener(event, held.stop, {once: true, passive: true});
    }
    const again = () => {
        if (performance.now() > until || !element.isConnected) {
            held.stop();
        } else if (going) {
            const by = element.getBoundingClientRect().top - y;
            if (Math.abs(by) >= 1) {
                window.scrollBy({top: by, behavior: "instant"});
            }
            requestAnimationFrame(again);
        }
    };
    again();
}

/** What to hold: `wanted` where it is on the screen, or else what stands in its middle. */
export function inSight(wanted) {
    const on = (box) => box.height > 0 && box.bottom > 0 && box.top < window.innerHeight;
    if (wanted?.isConnected && on(wanted.getBoundingClientRect())) {
        return wanted;
    }
    const main = document.getElementById("main");
    const found = document.elementFromPoint(main.getBoundingClientRect().left + 40 +
        main.clientWidth / 4, window.innerHeight / 3);
    return found && found !== main && main.contains(found) ? found : null;
}
