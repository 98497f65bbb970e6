"""Builds the C extensions. Everything else about the package is in pyproject.toml.

Switches, all environment variables:
    ISOGRAD_PURE=1      leave the extensions out: the pure-Python package
    ISOGRAD_DEBUG=1     check the C code's assertions
    ISOGRAD_SANITIZE=1  build with AddressSanitizer and UndefinedBehaviorSanitizer
    ISOGRAD_COVERAGE=1  count how often each line of C and Cython runs
The last three keep symbols and lines for debuggers and profilers; so does `build_ext --debug`.
"""

import os
import subprocess
import sys
from copy import copy
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

HELP = (
    "isograd: the C extension could not be built{}, or get the pure-Python package with: "
    "ISOGRAD_PURE=1 pip install ."
)
NO_COMPILER = (
    " ({}); install a C compiler and the headers of this Python (Debian: gcc python3-dev; "
    "macOS: xcode-select --install; Windows: Visual Studio Build Tools)"
)
COMPILER_FAILED = (
    "; see the compiler's message above (if Python.h is missing, install the headers of this "
    "Python; Debian: python3-dev)"
)

# Bits before speed: no contraction into fused multiply-adds, and libm's pow and friends as they
# are rather than the compiler's idea of them.
EXACT = ["-ffp-contract=off", "-fno-builtin-pow", "-fno-builtin-exp", "-fno-builtin-log"]
UNIX_FLAGS = ["-std=c11", "-O3", "-fno-strict-aliasing", "-fvisibility=hidden", *EXACT]
# Python's own flags ask for debug information: six times as long as the code, and it names the
# folder of the build. Only debuggers would read unwind tables: no exception of C++ passes through.
NO_SYMBOLS = ["-g0", "-fno-asynchronous-unwind-tables"]
STRIP = ["-Wl,-x" if sys.platform == "darwin" else "-Wl,-s"]
MSVC_FLAGS = ["/std:c11", "/O2", "/fp:precise"]
# Lines, which a report names, but no variables: these take the compiler half as long again.
SANITIZE = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer", "-g1"]
# Cython writes paths as seen from src.
COVERAGE = ["--coverage", "-fprofile-prefix-map=isograd=src/isograd"]


class BuildExact(build_ext):
    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extension(self, extension):
        # Several run at once, and both extensions compile csrc/numerics: not into the same objects.
        command = copy(self)
        command.build_temp = os.path.join(self.build_temp, extension.name)
        super(BuildExact, command).build_extension(extension)

    def build_extensions(self):
        compile_args, link_args = flags(self.compiler.compiler_type, self.debug)
        if self.compiler.compiler_type == "unix" and STRIP[0] in link_args:
            # The folder of this Python's own libraries, of which the extensions use none.
            linker = self.compiler.linker_so
            linker[:] = [word for word in linker if not word.startswith("-Wl,-rpath,")]
        for extension in self.extensions:
            extension.extra_compile_args = compile_args
            extension.extra_link_args = link_args
        try:
            super().build_extensions()
        except (CCompilerError, BaseError) as error:
            sys.exit(HELP.format(what_to_do(error)))


def what_to_do(error):
    """Tells a compiler that failed from one that is not there."""
    reason = error
    while reason is not None:
        if isinstance(reason, subprocess.CalledProcessError):
            return COMPILER_FAILED
        reason = reason.__context__
    return NO_COMPILER.format(str(error).splitlines()[0])


def flags(compiler, debug):
    """What a compiler of this type is told, and its linker."""
    if compiler == "msvc":
        return MSVC_FLAGS, []
    if os.environ.get("ISOGRAD_SANITIZE"):
        return [*UNIX_FLAGS, *SANITIZE, "-O1"], [*SANITIZE, "-pthread"]
    if os.environ.get("ISOGRAD_COVERAGE"):
        return [*UNIX_FLAGS, *COVERAGE, "-DISOGRAD_COVERAGE", "-O0"], [*COVERAGE, "-pthread"]
    if os.environ.get("ISOGRAD_DEBUG") or debug:
        return UNIX_FLAGS, ["-pthread"]
    return [*UNIX_FLAGS, *NO_SYMBOLS], ["-pthread", *STRIP]


def extensions():
    if os.environ.get("ISOGRAD_PURE"):
        return []
    both = [
        extension("_core", "run", "micrograd", "graph", "numerics"),
        extension("_native", "gpt", "numerics"),
    ]
    if os.environ.get("ISOGRAD_COVERAGE"):
        from Cython.Build import cythonize  # whose C then says which line of Cython it is from

        return cythonize(both, build_dir="build/coverage/cython", emit_linenums=True)
    return both


def extension(name, *rooms):
    """One of the extensions: its Cython module and its rooms of csrc."""
    paths = [path for room in rooms for path in Path("csrc", room).iterdir()]
    return Extension(
        f"isograd.{name}",
        sources=[f"src/isograd/{name}.pyx", *sorted(str(p) for p in paths if p.suffix == ".c")],
        depends=sorted(str(p) for p in paths if p.suffix == ".h"),
        include_dirs=["csrc"],
        undef_macros=["NDEBUG"] if os.environ.get("ISOGRAD_DEBUG") else [],
    )


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExact})
