"""The command line: what `isograd` and its commands do besides calling the library."""
