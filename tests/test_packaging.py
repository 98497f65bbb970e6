"""Building and importing the package: with the extension, without it, without a compiler."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import isograd
from isograd._core import unary_methods

ROOT = Path(__file__).parent.parent

TRAIN = """
import random, isograd
print(isograd.backend)
docs = ["ann", "bob", "carol"]
tokenizer = isograd.CharTokenizer(docs)
config = isograd.GPTConfig(tokenizer.vocab_size, n_layer=2, n_embd=4, n_head=2, block_size=4)
model = isograd.GPT(config, rng=random.Random(1))
for loss in isograd.train(model, [tokenizer.encode(doc) for doc in docs], steps=5):
    print(loss.hex())
"""


def python(code, **environment):
    """Runs `code` in a new interpreter, with ISOGRAD_BACKEND only if it is given."""
    inherited = {key: value for key, value in os.environ.items() if key != "ISOGRAD_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**inherited, **environment},
    )


@pytest.fixture(scope="module")
def pure(tmp_path_factory):
    """A folder with the package as it is installed without its extension."""
    folder = tmp_path_factory.mktemp("pure")
    package = Path(isograd.__file__).parent
    ignored = shutil.ignore_patterns("_core*", "_native*", "__pycache__")
    shutil.copytree(package, folder / "isograd", ignore=ignored)
    return str(folder)


@pytest.mark.undisturbed
def test_importing_isograd_imports_nothing_big():
    process = python("import sys, isograd; print(*sys.modules)")
    assert process.returncode == 0, process.stderr
    modules = {name.partition(".")[0] for name in process.stdout.split()}
    assert "isograd" in modules
    assert not modules & {"click", "json", "matplotlib", "numpy", "rich", "safetensors"}


@pytest.mark.undisturbed
def test_what_the_command_line_needs_nothing_else_needs():
    blocked = "import sys; sys.modules.update(dict.fromkeys(['click', 'rich', 'safetensors']))\n"
    more = "isograd.draw(model.to('value').loss([0, 1])), isograd.explain, isograd.load_checkpoint"
    expected, process = python(TRAIN), python(blocked + TRAIN + more)
    assert process.returncode == 0, process.stderr
    assert process.stdout == expected.stdout


def test_the_pure_package_computes_the_same(pure):
    expected, process = python(TRAIN), python(TRAIN, PYTHONPATH=pure)
    assert (expected.returncode, process.returncode) == (0, 0), expected.stderr + process.stderr
    assert process.stdout.splitlines()[0] == "python"
    assert process.stdout.splitlines()[1:] == expected.stdout.splitlines()[1:]
    assert len(expected.stdout.splitlines()) == 6


def test_both_backends_compute_the_same():
    c, pure = python(TRAIN, ISOGRAD_BACKEND="c"), python(TRAIN, ISOGRAD_BACKEND="python")
    assert (c.stdout.split()[0], pure.stdout.split()[0]) == ("c", "python")
    assert c.stdout.split()[1:] == pure.stdout.split()[1:]


def test_asking_the_pure_package_for_c_is_an_error(pure):
    process = python("import isograd", PYTHONPATH=pure, ISOGRAD_BACKEND="c")
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr.splitlines()[-1].startswith(
        "ImportError: ISOGRAD_BACKEND=c, but this isograd was installed without its C extension"
    )


def test_an_extension_that_does_not_load_is_an_error(pure, tmp_path):
    shutil.copytree(pure, tmp_path, dirs_exist_ok=True)
    (tmp_path / "isograd" / "_core.py").write_text("import a_library_that_is_not_there")
    process = python("import isograd", PYTHONPATH=str(tmp_path))
    assert process.returncode == 1
    assert "a_library_that_is_not_there" in process.stderr.splitlines()[-1]


def test_the_stub_has_every_method_of_one_operand():
    stub = ast.parse((Path(isograd.__file__).parent / "_core.pyi").read_text("utf-8"))
    [value] = [x for x in stub.body if isinstance(x, ast.ClassDef) and x.name == "Value"]
    methods = {method.name for method in value.body if isinstance(method, ast.FunctionDef)}
    assert not {*unary_methods} - methods


def test_the_program_that_type_checkers_read_runs():
    process = python("import runpy; runpy.run_path('tests/typed_program.py', run_name='__main__')")
    assert process.returncode == 0, process.stderr


def test_the_vector_unit_is_read_at_import():
    process = python("import isograd._core as c; print(c.vector_unit)", ISOGRAD_VECTOR_UNIT="plain")
    assert process.stdout == "plain C\n"
    process = python("import isograd", ISOGRAD_VECTOR_UNIT="avx1024", ISOGRAD_BACKEND="c")
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == (
        "ImportError: ISOGRAD_VECTOR_UNIT must be avx512, avx2 or plain"
    )


@pytest.fixture
def build(tmp_path):
    """Builds a copy of the source tree with `environment`; returns the finished process."""
    pytest.importorskip("setuptools", minversion="77")
    pytest.importorskip("Cython", minversion="3.1")
    for name in ["setup.py", "pyproject.toml", "README.md", "LICENSE"]:
        shutil.copy(ROOT / name, tmp_path)
    for name in ["src", "csrc"]:
        ignored = shutil.ignore_patterns(
            "_core.c", "_native.c", "*.so", "*.pyd", "*.egg-info", "__pycache__"
        )
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)

    def build(**environment):
        return subprocess.run(
            [sys.executable, "setup.py", "build"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
        )

    return build


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="elsewhere CC does not say which compiler to use")
def test_a_build_without_a_compiler_says_what_to_do(build):
    process = build(CC="no-such-compiler", ISOGRAD_PURE="")
    assert process.returncode != 0
    sentence = process.stderr.splitlines()[-1]
    assert sentence.startswith("isograd: the C extension could not be built (")
    assert "install a C compiler" in sentence
    assert sentence.endswith("ISOGRAD_PURE=1 pip install .")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="elsewhere CC does not say which compiler to use")
def test_a_build_with_an_error_in_c_points_at_the_compilers_message(build):
    process = build(CC="false", ISOGRAD_PURE="")
    assert process.returncode != 0
    sentence = process.stderr.splitlines()[-1]
    assert sentence.startswith(
        "isograd: the C extension could not be built; see the compiler's message above"
    )
    assert "install a C compiler" not in sentence
    assert sentence.endswith("ISOGRAD_PURE=1 pip install .")


def test_the_pure_package_needs_no_compiler(build, tmp_path):
    process = build(CC="no-such-compiler", ISOGRAD_PURE="1")
    assert process.returncode == 0, process.stderr
    built = {path.name for path in (tmp_path / "build").glob("lib*/isograd/**/*")}
    assert {"__init__.py", "names.txt", "py.typed"} <= built
    assert {"page.html", "style.css", "main.js", "worker.js"} <= built
    assert not [name for name in built if name.endswith((".so", ".pyd"))]


def flags(arguments, **environment):
    """What setup.py tells a compiler and its linker."""
    code = (
        "import runpy, setuptools; setuptools.setup = lambda **_: None; "
        f"print(*map(' '.join, runpy.run_path('setup.py')['flags']({arguments})), sep='\\n')"
    )
    switches = dict.fromkeys(["ISOGRAD_COVERAGE", "ISOGRAD_DEBUG", "ISOGRAD_SANITIZE"], "")
    process = python(code, **{**switches, "ISOGRAD_PURE": "1", **environment})
    assert process.returncode == 0, process.stderr
    return [line.split() for line in process.stdout.splitlines()]


@pytest.mark.slow
def test_only_builds_for_debuggers_keep_symbols():
    pytest.importorskip("setuptools", minversion="77")
    compiling, linking = flags("'unix', False")
    assert compiling[-2:] == ["-g0", "-fno-asynchronous-unwind-tables"], "behind Python's own -g"
    assert linking[-1] in ["-Wl,-s", "-Wl,-x"]
    others = [flags("'unix', True"), flags("'msvc', False")]
    others += [flags("'unix', False", **{f"ISOGRAD_{x}": "1"}) for x in ["DEBUG", "SANITIZE"]]
    for compiling, linking in others:
        assert not {"-g0", "-Wl,-s", "-Wl,-x"} & {*compiling, *linking}


def test_the_sdist_holds_what_tests_it(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    command = [sys.executable, "setup.py", "--quiet", "egg_info", "--egg-base", tmp_path]
    # Without extensions, whose sources are found by MANIFEST.in, too.
    environment = {**os.environ, "ISOGRAD_PURE": "1"}
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=environment)
    held = {*(tmp_path / "isograd.egg-info" / "SOURCES.txt").read_text("utf-8").splitlines()}
    made = re.compile(r"__pycache__|node_modules|\.(so|pyd|pyc)$|isograd/_(core|native)\.c$")
    there = {
        path.relative_to(ROOT).as_posix()
        for folder in ["bench", "csrc", "docs", "src/isograd", "tests", "tools", ".github"]
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not made.search(path.relative_to(ROOT).as_posix())
    }
    missing = {"Makefile", "README.md", "setup.py", "pyproject.toml", *there} - held
    assert not missing
    assert not [path for path in held if made.search(path)]


PLATFORMS = ["manylinux_2_28_x86_64", "musllinux_1_2_x86_64", "macosx_11_0_arm64", "win_amd64"]
CHOICES = {  # implementation, version, ABI and platform, and the wheel that is for it
    ("cp", "3.10", "cp310", "manylinux_2_28_x86_64"): "cp310-cp310-manylinux_2_28_x86_64",
    ("cp", "3.15", "cp315", "musllinux_1_2_x86_64"): "cp315-cp315-musllinux_1_2_x86_64",
    ("cp", "3.14", "cp314t", "manylinux_2_28_x86_64"): "py3-none-any",  # without the GIL
    ("cp", "3.14", "cp314", "pyemscripten_2026_0_wasm32"): "py3-none-any",  # Pyodide
    ("cp", "3.13", "cp313", "manylinux_2_39_riscv64"): "py3-none-any",
    ("pp", "3.11", "pypy311_pp73", "manylinux_2_28_x86_64"): "py3-none-any",
}


def write_wheel(folder, tag):
    """An empty wheel of isograd."""
    with zipfile.ZipFile(folder / f"isograd-1-{tag}.whl", "w") as archive:
        about = "Metadata-Version: 2.1\nName: isograd\nVersion: 1\n"
        archive.writestr("isograd-1.dist-info/METADATA", about)
        wheel = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
        archive.writestr("isograd-1.dist-info/WHEEL", wheel)
        archive.writestr("isograd-1.dist-info/RECORD", "")


@pytest.mark.once
def test_pip_takes_the_compiled_wheel_where_it_fits_and_the_pure_one_elsewhere(tmp_path):
    pytest.importorskip("pip")
    wheels = [f"cp3{x}-cp3{x}-{platform}" for x in range(10, 16) for platform in PLATFORMS]
    for tag in [*wheels, "py3-none-any"]:
        write_wheel(tmp_path, tag)
    pip = [sys.executable, "-m", "pip", "--isolated", "--quiet", "download", "isograd"]
    pip += ["--no-index", "--find-links", tmp_path, "--no-deps", "--only-binary=:all:"]
    running = {}
    for (implementation, version, abi, platform), expected in CHOICES.items():
        target = tmp_path / f"for {implementation} {abi} {platform}"
        options = ["--implementation", implementation, "--python-version", version]
        options += ["--abi", abi, "--platform", platform, "--dest", target]
        running[target] = expected, subprocess.Popen([*pip, *options])
    for target, (expected, process) in running.items():
        assert process.wait() == 0, target.name
        assert [x.name for x in target.iterdir()] == [f"isograd-1-{expected}.whl"], target.name


@pytest.fixture
def for_index():
    spec = importlib.util.spec_from_file_location("for_index", ROOT / "tools" / "for_index.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_package_index_gets_absolute_links(for_index, tmp_path):
    for name in ["README.md", "pyproject.toml", "CITATION.cff", "src/isograd/__init__.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for_index.prepare(tmp_path, "https://example.org/owner/isograd")
    readme = (tmp_path / "README.md").read_text("utf-8")
    assert not for_index.RELATIVE.search(readme)
    link = r"\]\(https://example.org/owner/isograd/(raw|blob)/v([^/]+)/([^)#]+)"
    files = re.findall(link, readme)
    assert ("raw", isograd.__version__, "docs/images/explain.png") in files
    assert not [path for _, _, path in files if not (ROOT / path).exists()]
    project = (tmp_path / "pyproject.toml").read_text("utf-8")
    assert '\nSource = "https://example.org/owner/isograd"\n' in project
    assert project.index("[project.urls]") < project.index("[project.scripts]")
    with pytest.raises(ValueError, match="already"):
        for_index.prepare(tmp_path, "https://example.org/owner/isograd")


def test_the_citation_names_this_version():
    version = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    assert version[1] == isograd.__version__
