"""csrc/numerics as a shared library of its own, built for the tests and called through ctypes."""

import ctypes
import os
from pathlib import Path

import numpy as np

from isograd._core import vector_unit

ROOT = Path(__file__).parent.parent
SOURCES = sorted(str(path) for path in (ROOT / "csrc" / "numerics").glob("*.c"))
UNIX_FLAGS = ["-std=c11", "-O3", "-ffp-contract=off"]
UNIX_FLAGS += ["-fno-builtin-pow", "-fno-builtin-exp", "-fno-builtin-log"]
MSVC_FLAGS = ["/std:c11", "/O2", "/fp:precise"]
VECTOR = ["vector_unit_init", "vector_unit", "vector_unit_set", "adam_update", "adam_error"]
VECTOR += ["exp_many", "pow_many", "add_scaled"]
UNITS = ["plain", "avx2", "avx512"]
BEST = ["plain C", "AVX2", "AVX-512"].index(vector_unit)
HERE = UNITS[: BEST + 1]  # those that this machine has
ERRORS = ["OverflowError", "ZeroDivisionError", "complex"]


def build(folder):
    """Compiles the library into `folder` with the compiler that builds extensions; loads it."""
    from setuptools._distutils.ccompiler import new_compiler
    from setuptools._distutils.sysconfig import customize_compiler

    compiler = new_compiler()
    customize_compiler(compiler)
    msvc = compiler.compiler_type == "msvc"
    # `make coverage` sets it.
    counting = ["--coverage", "-O0"] if "GCOV_FOLDER" in os.environ else []
    folder = Path(os.environ.get("GCOV_FOLDER", folder))
    objects = compiler.compile(
        SOURCES,
        output_dir=str(folder),
        include_dirs=[str(ROOT / "csrc")],
        extra_postargs=MSVC_FLAGS if msvc else UNIX_FLAGS + counting,
    )
    path = str(folder / ("numerics.dll" if os.name == "nt" else "numerics.so"))
    libraries = [] if msvc else ["m"]
    compiler.link_shared_object(
        objects, path, libraries=libraries, export_symbols=VECTOR, extra_postargs=counting
    )
    library = ctypes.CDLL(path)
    library.vector_unit_init.restype = ctypes.c_char_p
    library.adam_update.restype = ctypes.c_size_t
    library.adam_error.argtypes = [ctypes.c_double, ctypes.c_double, ctypes.c_void_p]
    return library


def pointer(array):
    """Where the doubles of a contiguous NumPy array are."""
    assert array.dtype == np.float64 and array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def same(a, b):
    """Whether two arrays hold the same doubles: zeros with their sign, NaN whichever its bits."""
    a, b = np.asarray(a), np.asarray(b)
    return np.array_equal(
        np.where(np.isnan(a), np.nan, a).view(np.int64),
        np.where(np.isnan(b), np.nan, b).view(np.int64),
    )


def first_difference(names, expected, actual):
    """The first entry in which lists of arrays differ, for a test's message; None if none does."""
    for name, a, b in zip(names, expected, actual):
        for i, (x, y) in enumerate(zip(a, b)):
            if not same([x], [y]):
                return f"{name}[{i}]: expected {float(x).hex()}, actual {float(y).hex()}"
    return None
