"""Which modules a script may import, and what it may use of them.

They must neither patch nor inspect what the script defines. Each group below says why it cannot; a
module of a group must be the one that is meant, and none of that name beside the script.
"""

from __future__ import annotations

import ast
import importlib.machinery
import os
import sys
import sysconfig

# Modules of the standard library that neither patch nor inspect, with what may be used of them.
MODULES: dict[str, frozenset[str] | None] = dict.fromkeys(
    "__future__ abc argparse array atexit base64 binascii bisect calendar cmath codecs collections "
    "colorsys configparser csv datetime decimal difflib email enum errno fileinput fnmatch "
    "fractions getopt getpass glob gzip bz2 lzma hashlib heapq hmac html http io itertools json "
    "keyword locale logging marshal math mimetypes numbers optparse pathlib platform posixpath "
    "pprint queue random re reprlib resource sched secrets select shelve shlex shutil signal "
    "socket sqlite3 ssl statistics stat string struct tarfile tempfile textwrap threading time "
    "tkinter token tokenize tomllib turtle typing typing_extensions unicodedata urllib uuid "
    "warnings wave webbrowser xml zipfile zlib zoneinfo curses readline".split()
)
# These would take a Value apart. The compiled class stops the run before it lets them (guards.py).
MODULES.update(dict.fromkeys("pickle copy concurrent multiprocessing subprocess asyncio".split()))
MODULES.update(
    ast=frozenset(["literal_eval"]),
    dataclasses=frozenset("dataclass field asdict astuple replace KW_ONLY".split()),
    contextlib=frozenset(
        "contextmanager nullcontext redirect_stdout redirect_stderr suppress closing".split()
    ),
    functools=frozenset(
        "reduce partial lru_cache cache cmp_to_key wraps total_ordering cached_property".split()
    ),
    gc=frozenset("disable enable freeze isenabled collect set_threshold".split()),
    operator=frozenset("add sub mul truediv neg pow itemgetter lt le gt ge eq ne".split()),
    os=frozenset(
        "path environ getenv makedirs mkdir listdir getcwd remove rename replace sep linesep name "
        "cpu_count get_terminal_size getpid system unlink rmdir walk scandir stat chdir access "
        "W_OK R_OK X_OK F_OK urandom devnull pathsep curdir uname isatty getlogin getppid kill "
        "sched_getaffinity times nice utime symlink fsync putenv popen".split()
    ),
    sys=frozenset(
        "argv exit stdout stderr stdin path version version_info platform maxsize float_info "
        "setrecursionlimit getrecursionlimit executable byteorder getsizeof flags maxunicode "
        "implementation hexversion getdefaultencoding int_info prefix is_finalizing".split()
    ),
    timeit=frozenset(["default_timer"]),
    traceback=frozenset(["print_exc", "format_exc"]),
    types=frozenset(["SimpleNamespace", "MappingProxyType"]),
)
# Libraries that show, fetch or store what they are given: they see numbers, texts and files. What
# they do with a Value is what Python does with it: they add, compare, print or refuse it.
VIEWERS = frozenset(
    "matplotlib mpl_toolkits seaborn plotly bokeh altair tqdm rich tabulate prettytable colorama "
    "termcolor blessed requests httpx yaml PIL imageio graphviz pydot networkx IPython ipywidgets "
    "click typer fire wandb tensorboard tensorboardX mlflow psutil termplotlib plotext "
    "asciichartpy "
    "pygments regex unidecode toml tomli orjson ujson datasets tiktoken sentencepiece "
    "huggingface_hub absl loguru dotenv art pyfiglet alive_progress progressbar sty".split()
)
# Libraries whose numbers are no Python floats, though they look like them: arrays.py.
ARRAYS = frozenset("numpy scipy torch jax tensorflow pandas sklearn polars cupy".split())
# Where a module shows another one.
TREACHEROUS = frozenset(
    "builtins sys os gc inspect types importlib functools operator contextlib dataclasses "
    "traceback attrgetter methodcaller".split()
)


def modules_of(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules that a statement imports or imports from, by their first names."""
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    return [node.module.split(".")[0]] if node.module and not node.level else []


def hazard_of_import(node: ast.Import | ast.ImportFrom, folder: str) -> str:
    """Why the class cannot be ours with this import in a script from `folder`, or nothing."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif node.level or node.module is None:
        return "imports from a package of its own"
    else:
        modules = [node.module]
        for alias in node.names:
            if alias.name == "*":
                return f"imports * from {node.module}"
            if alias.name in TREACHEROUS or not may_use(node.module.split(".")[0], alias.name):
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
    """Whether it is in one of the groups, and a script in `folder` gets the one that is meant."""
    if name in VIEWERS or name in ARRAYS:
        return not is_beside(name, folder)
    if name not in MODULES:
        return False
    if name in sys.builtin_module_names:
        return True
    spec = importlib.machinery.PathFinder.find_spec(name, [folder, *sys.path[1:]])
    if spec is None or name == "typing_extensions":  # not installed: its import fails
        return not is_beside(name, folder)
    folders = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    libraries = tuple(os.path.join(os.path.realpath(folder), "") for folder in folders)
    origin = os.path.realpath(spec.origin) if spec.origin else ""
    return origin.startswith(libraries) and "site-packages" not in origin


def is_beside(name: str, folder: str) -> bool:
    """Whether a module or a folder of that name lies in the script's folder."""
    try:
        return any(entry.split(".")[0] == name for entry in os.listdir(folder))
    except OSError:
        return True
