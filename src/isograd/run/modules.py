"""Which modules a script may import, and what it may use of them.

They must neither patch nor inspect what the script defines, and be the standard library's.
"""

from __future__ import annotations

import ast
import importlib.machinery
import os
import sys
import sysconfig

# Modules of the standard library that neither patch nor inspect, with what may be used of them.
MODULES: dict[str, frozenset[str] | None] = dict.fromkeys(
    "__future__ argparse array atexit base64 bisect cmath collections csv datetime enum getpass "
    "glob gzip hashlib heapq io itertools json locale logging math numbers pathlib platform pprint "
    "random re secrets shutil statistics string struct tempfile textwrap time typing unicodedata "
    "urllib uuid zipfile zlib".split()
)
MODULES.update(
    dataclasses=frozenset(["dataclass", "field"]),
    contextlib=frozenset(["contextmanager", "nullcontext", "redirect_stdout", "suppress"]),
    functools=frozenset(["reduce", "partial", "lru_cache", "cache", "cmp_to_key"]),
    gc=frozenset(["disable", "enable", "freeze"]),
    operator=frozenset("add sub mul truediv neg pow itemgetter lt le gt ge eq ne".split()),
    os=frozenset(
        "path environ getenv makedirs mkdir listdir getcwd remove rename replace sep linesep name "
        "cpu_count get_terminal_size getpid system".split()
    ),
    sys=frozenset(
        "argv exit stdout stderr stdin path version version_info platform maxsize float_info "
        "setrecursionlimit executable byteorder".split()
    ),
    traceback=frozenset(["print_exc", "format_exc"]),
)
# Where a module shows another one.
TREACHEROUS = frozenset(
    "builtins sys os gc inspect types importlib functools operator contextlib dataclasses "
    "traceback attrgetter methodcaller".split()
)


def hazard_of_import(node: ast.Import | ast.ImportFrom, folder: str) -> str:
    """Why the class cannot be ours with this import in a script from `folder`, or nothing."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif node.level or node.module is None:
        return "imports from a package of its own"
    else:
        modules = [node.module]
        for alias in node.names:
            hidden = alias.name == "*" or alias.name in TREACHEROUS
            if hidden or not may_use(node.module.split(".")[0], alias.name):
                return f"imports {alias.name} from {node.module}"
    for module in modules:
        if not is_harmless_module(module.split(".")[0], folder):
            return f"imports {module}"
    return ""


def may_use(module: str, name: str) -> bool:
    """Whether a script that may import the module may use this part of it."""
    allowed = MODULES.get(module)
    return not name.startswith("_") and (allowed is None or name in allowed)


def is_harmless_module(name: str, folder: str) -> bool:
    """Whether it is one of MODULES, and a script in `folder` gets the standard library's."""
    if name not in MODULES:
        return False
    if name in sys.builtin_module_names:
        return True
    spec = importlib.machinery.PathFinder.find_spec(name, [folder, *sys.path[1:]])
    folders = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    libraries = tuple(os.path.join(os.path.realpath(folder), "") for folder in folders)
    origin = os.path.realpath(spec.origin) if spec and spec.origin else ""
    return origin.startswith(libraries) and "site-packages" not in origin
