"""What `isograd.explain` returns: the page, and what a person should know about its size."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator

from ..files import write_atomically
from .page import Packed, packed, page_of
from .payload import About, pack, places_of_texts
from .record import BETWEEN_KEYFRAMES, Recording


class Explanation:
    """A page about a run: `html` is its text, `sizes` the bytes of its parts.

    In a notebook it shows itself.
    """

    def __init__(self, recording: Recording, about: About, other: Packed | None = None) -> None:
        self.recording, self.about = recording, about
        payload = packed(pack(recording, about))
        seed = recording.options.seed
        title = f"isograd explain: {about.data}, {recording.steps:,} steps, seed {seed}"
        self.html = page_of(payload, title, other)
        self.sizes = dict(payload.sizes)
        if other:
            self.sizes["the run to compare with"] = len(other.text)
        self.sizes["the program"] = len(self.html.encode()) - sum(self.sizes.values())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Make or replace the file `path`, as a whole or not at all. Raises OSError."""
        write_atomically(path, self.html.encode())

    def summary(self) -> str:
        """How large the page is, what takes the room, what it holds of the data and of the run."""
        parts = sorted(self.sizes.items(), key=lambda part: -part[1])
        listed = ", ".join(f"{what} {round(size / 1e3):,} kB" for what, size in parts)
        total = sum(self.sizes.values()) / 1e6
        lines = f"{total:.2f} MB: {listed}", self.about_documents(), self.about_keyframes()
        return "\n".join((*lines, *self.about_end()))

    def about_documents(self) -> str:
        n = len(self.recording.texts)
        shown = len(places_of_texts(self.recording, self.about.withhold))
        if shown == n:
            return f"It contains all {n:,} documents; whoever gets the page can read them."
        return f"It contains the {shown:,} documents that steps used, of {n:,}."

    def about_keyframes(self) -> str:
        frames, steps = self.recording.keyframes, self.recording.steps
        apart = frames[0].step
        if apart == steps:
            return "It keeps where the run stood at the end, and computes all other steps again."
        sentence = (
            f"It keeps where the run stood every {apart:,} steps and computes the others again"
        )
        if apart > BETWEEN_KEYFRAMES:
            return f"{sentence}: a run of this size has room for {len(frames)} such places."
        return f"{sentence}."

    def about_end(self) -> Iterator[str]:
        """What ended the run before its last step, and which step it went back to, if any."""
        steps, kept = self.recording.steps, self.recording.kept
        if steps < self.recording.options.steps:
            yield f"Its patience came to an end after step {steps:,}."
        if kept < steps:
            yield f"Its result is what it was after step {kept:,}, the best one."

    def _repr_html_(self) -> str:
        """The page in a frame of its own, which neither sees the notebook nor another frame."""
        return (
            '<iframe sandbox="allow-scripts" title="isograd explain" width="100%" height="800" '
            f'srcdoc="{html.escape(self.html)}"></iframe>'
        )

    def __repr__(self) -> str:
        size = sum(self.sizes.values()) / 1e6
        return f"<Explanation of {self.recording.steps:,} steps, {size:.2f} MB>"
