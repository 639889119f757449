"""What README.md, docs/ and setup.py say holds: commands, flags, files, links, versions."""

import ast
import functools
import importlib
import inspect
import json
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from places import ROOT

README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
CI = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()

# absl's own: --help would leave, and flagfiles are read where commands name them.
ABSL = frozenset(("help", "flagfile"))

MODULES = {
    "animegan-stylize": "animegan_tf.stylize.__main__",
    "animegan-train": "animegan_tf.train.__main__",
    "animegan-export": "animegan_tf.export.__main__",
    "animegan-batch": "animegan_tf.cluster.__main__",
    "animegan-web": "animegan_tf.web.__main__",
    "animegan-serve": "animegan_tf.web.__main__",
}
PROGRAMS = (*MODULES, *(f"tools/{path.name}" for path in sorted((ROOT / "tools").glob("*.py"))))
# Programs of others, whose options are theirs.
OTHERS = (
    "python3", "py", "pip", "docker", "echo", "curl", "ffmpeg", "ruff", "pytest", ".",
    "tfjs/bin/pip", "tfjs/bin/tensorflowjs_converter", ".venv/bin/pip", ".venv/bin/ruff",
    ".venv/bin/pytest", ".venv\\Scripts\\Activate.ps1",
)  # fmt: skip

MODULES_OF_OTHERS = ("pip", "build", "twine", "http.server")

# Parses lists of arguments as a program's entry point does; prints its flags and what is wrong with
# each list, or "".
_PARSE = """
import importlib, json, runpy, sys
from absl import flags
from animegan_tf import cli

program, module, lists = json.load(sys.stdin)
def parse(*args, **kwargs):
    mistakes = []
    for arguments in lists:
        flags.FLAGS.unparse_flags()
        try:
            flags.FLAGS([program, *cli.expand_flagfiles(arguments)])
            mistakes.append("")
        except flags.Error as error:
            mistakes.append(f"{arguments}: {error}")
    print(json.dumps([sorted(flags.FLAGS), mistakes]))
cli.run = parse
if module:
    importlib.import_module(module).console()
else:
    runpy.run_path(program, run_name="__main__")
"""


def _text(page):
    return page.read_text("utf-8")


def _blocks(text, language):
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for its, block in blocks if its == language]


def _without_blocks(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def _words(line):
    """The commands of a shell line, as lists of words: without variables set before them."""
    found = [[]]
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    lexer.escape = "" if "Scripts" in line else lexer.escape
    for word in lexer:
        if set(word) <= set("|&;"):
            found.append([])
        elif found[-1] or not re.match(r"[A-Z_]+=", word):
            found[-1].append(word)
    return found


@functools.cache
def commands():
    """All commands of the pages, of blocks and of inline code, as lists of words."""
    found = []
    for page in PAGES:
        text = _text(page)
        lines = [
            line
            for block in _blocks(text, "")
            for line in block.replace("\\\n", " ").splitlines()
            if not re.match(r"DATA/\S+ +\w", line)  # a table of folders
        ]
        for code in re.findall(r"`([^`\n]+)`", _without_blocks(text)):
            if re.match(rf"(python |pip |animegan |{'|'.join(MODULES)}) *\S", code):
                lines.append(code)
        for line in lines:
            found += [words for words in _words(line) if words]
    return found


def _program(words):
    """The program of this project that a command starts, and its arguments; (None, ...) else."""
    if words[0] == "animegan" and len(words) > 1:
        tool = f"tools/{words[1].replace('-', '_')}.py"
        return (tool if tool in PROGRAMS else f"animegan-{words[1]}"), words[2:]
    if words[0] == "python":
        if words[1] == "-m":
            by_module = {module.removesuffix(".__main__"): name for name, module in MODULES.items()}
            return by_module.get(words[2]), words[3:]
        return words[1], words[2:]
    return (words[0] if words[0] in MODULES else None), words[1:]


def _known(argument):
    return argument.removeprefix("--").partition("=")[0] != "help"


def _fragments(page):
    """The flags with values of a page's inline code, without placeholders such as FOLDER."""
    found = re.findall(r"`(--[^`\n]+=[^`\n]+)`", _without_blocks(_text(page)))
    return [text for text in found if not re.search(r"[A-Z]{3}|a,b,c,d", text)]


@functools.cache
def parsed(program):
    """The names of a program's flags, what is wrong with the commands that start it, and which
    fragments of all pages it takes."""
    lists = [arguments for name, arguments in map(_program, commands()) if name == program]
    fragments = [text for page in PAGES for text in _fragments(page)]
    lists = [
        [word for word in words if _known(word)] for words in (*lists, *map(str.split, fragments))
    ]
    done = subprocess.run(
        [sys.executable, "-c", _PARSE],
        input=json.dumps([program, MODULES.get(program), lists]),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    names, mistakes = json.loads(done.stdout.splitlines()[-1])
    count = len(lists) - len(fragments)
    taken = {text for text, wrong in zip(fragments, mistakes[count:], strict=True) if not wrong}
    return names, [mistake for mistake in mistakes[:count] if mistake], taken


def test_every_command_is_known():
    for words in commands():
        program = _program(words)[0]
        modules = words[:2] == ["python", "-m"] and words[2] in MODULES_OF_OTHERS
        others = program is None and (words[0] in OTHERS or modules)
        assert program in PROGRAMS or others, words


@pytest.mark.parametrize("program", PROGRAMS)
def test_commands_parse(program):
    assert parsed(program)[1] == []


def test_every_program_is_shown():
    assert {_program(words)[0] for words in commands()} >= set(PROGRAMS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_flags_exist(page):
    flags = {name for program in PROGRAMS for name in parsed(program)[0]} | ABSL
    flags |= {f"no{name}" for name in flags}
    others = {"check"} if page.name in ("README.md", "development.md") else set()
    named = set(re.findall(r"`--([a-z_0-9]+)", _without_blocks(_text(page))))
    assert named - flags - others == set()
    taken = set().union(*(parsed(program)[2] for program in PROGRAMS))
    assert set(_fragments(page)) - taken == set()


def test_ci_runs_the_command_of_the_readme():
    development = _text(README).partition("## Develop")[2]
    assert _blocks(development, "")[0].strip() in CI


def test_first_block_installs_and_stylises():
    first = _words(_blocks(_text(README), "")[0])
    assert [words[:2] for words in first[:3]] == [
        ["python3", "-m"],
        [".", ".venv/bin/activate"],
        ["pip", "install"],
    ]
    program, arguments = _program(first[3])
    assert program == "animegan-stylize"
    assert (ROOT / arguments[0]).is_file()


def test_extras_exist():
    extras = re.search(r"EXTRAS = \{(.*?)\n\}", _text(ROOT / "setup.py"), re.DOTALL)[1]
    known = {"test", *re.findall(r'^    "(\w+)": \[', extras, re.MULTILINE)}
    for page in PAGES:
        assert set(re.findall(r"\.\[(\w+)\]", _text(page))) <= known


def test_readme_is_short():
    assert len(_text(README).splitlines()) <= 130
    assert len(_text(README).split()) <= 900


def test_readme_links_every_page():
    linked = {(ROOT / target).resolve() for target in _links(_text(README))}
    assert {page for page in PAGES if page != README} <= linked


def _links(text):
    """The targets of links and images, without addresses and anchors alone."""
    targets = re.findall(r"\]\(([^)\s]+)\)", _without_blocks(text))
    return [target.partition("#")[0] for target in targets if "://" not in target]


def _anchors(text):
    """GitHub's anchors of the headings."""
    headings = re.findall(r"^#+ (.+)$", _without_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_anchors_resolve(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_blocks(_text(page))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in _anchors(_text(linked)), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    text = _text(page)
    named = re.findall(r"(?<![\w./])(?:flags|tools|docs|tests|animegan_tf)/[\w./*-]*\w", text)
    # In the map of packages a row's first path says where the others are.
    named += [f"animegan_tf/{name}" for name in re.findall(r"`(\w+\.py)`", text)]
    missing = [
        path
        for path in named
        if "NAME" not in path
        and not list(ROOT.glob(path))
        and not list(ROOT.glob(path.replace("/", "/*/", 1)))
    ]
    assert missing == []


def test_python_of_the_pages_uses_what_there_is():
    import animegan_tf

    for page in PAGES:
        for block in _blocks(_text(page), "python"):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom):
                    package = importlib.import_module(node.module)
                    assert {alias.name for alias in node.names} <= set(package.__all__)
                if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("animegan_tf."):
                    function = getattr(animegan_tf, node.func.attr)
                    inspect.signature(function).bind_partial(
                        *node.args, **{keyword.arg: keyword.value for keyword in node.keywords}
                    )


@pytest.mark.slow
def test_the_first_photo_is_stylised(tmp_path):
    words = _words(_blocks(_text(README), "")[0])[3]
    arguments = _program(words)[1]
    assert arguments[1] == "--output=anime"
    done = subprocess.run(
        [sys.executable, "-m", "animegan_tf.stylize", arguments[0], f"--output={tmp_path}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [Path(arguments[0]).name]


@pytest.fixture
def package(monkeypatch):
    """What setup.py gives to setuptools."""
    given = {}
    monkeypatch.setattr(setuptools, "setup", lambda **options: given.update(options))
    runpy.run_path(str(ROOT / "setup.py"))
    return given


def test_type_annotations_are_shipped(package):
    """PEP 561: type checkers read a package's annotations only if it has this file."""
    assert "py.typed" in package["package_data"]["animegan_tf"]
    assert (ROOT / "animegan_tf" / "py.typed").is_file()


def test_versions_of_pyav(package):
    """Version 19 changes how films are opened and what their rational numbers are."""
    wanted = {one.name: one.specifier for one in map(Requirement, package["install_requires"])}
    tried = [version for version in ("16.1", "17.0", "18.1", "19.0") if version in wanted["av"]]
    assert tried == ["17.0", "18.1"]


def test_versions_of_python(package):
    """What pip looks at and what the package index shows."""
    allowed = SpecifierSet(package["python_requires"])
    pip = [minor for minor in range(20) if f"3.{minor}.1" in allowed]
    found = (
        re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", name)
        for name in package["classifiers"]
    )
    assert [int(match[1]) for match in found if match] == pip == [10, 11, 12, 13]
    assert "4.0" not in allowed
    ruff = re.search(r'target-version = "py3(\d+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert int(ruff[1]) == pip[0]
