"""What a test of faults has counted stands at the end of the whole form: a line for each."""

import pytest
from amount import WHOLE


@pytest.fixture
def counted(record_property):
    """A function that takes the sentence with what a test has counted."""
    return lambda sentence: record_property("counted", sentence)


def pytest_terminal_summary(terminalreporter):
    if not WHOLE:
        return
    for report in terminalreporter.getreports("passed"):
        for name, sentence in report.user_properties:
            if name == "counted":
                terminalreporter.write_line(sentence)
