"""Scripts, styles and pages without what only their readers need: comments and white space.

People pay for every octet of the app. Nothing is renamed and nothing is moved: the tokens that go out are those of
the file, in its order. What is known of JavaScript is how it is cut into tokens, and one habit of this app's: white
space with a line's end in it never counts within a template, since htm drops it.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_GAP: Final = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_TOKEN: Final = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[\w$]+|.""")
_REGEX: Final = re.compile(r"/(?:[^\\/\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_TEMPLATE: Final = re.compile(r"(?:[^\\`$]|\\.|\$(?!\{))*(?:`|\$\{)", re.DOTALL)
_BEFORE_REGEX: Final = frozenset({"return", "typeof", "case", "of", "in", "void", "else", "await", "yield"})
_WORD_END: Final = re.compile(r"[\w$)\]}\"'`]$")
_LINE_END: Final = re.compile(r"[ \t]*\n\s*")

# After these, and before those, a line's end can never stand for a semicolon (ECMA-262, 12.10).
_OPEN: Final = frozenset("{;,([=:?&|<>!*%")
_GOES_ON: Final = frozenset(")]};,.:?&|=<>*%")


class Token(NamedTuple):
    """A piece of a script, and what was between it and the piece before."""

    gap: str
    text: str


def script_tokens(source: str) -> Iterator[Token]:
    """Cut a script into tokens; of a template each part between two expressions is one.

    A regular expression is known by what stands before it, which must not be ``)`` or ``}``.
    """
    at = 0
    last = ""
    braces: list[bool] = []  # of each open brace: whether it is a template's
    while True:
        between = _match(_GAP, source, at)
        at += len(between)
        if at == len(source):
            return
        text = _next_token(source, at, last, bool(braces) and braces[-1])
        if text[0] == "}":
            braces.pop()
        if text[-1] == "{" and (text == "{" or text[0] in "`}"):
            braces.append(text != "{")
        yield Token(between, text)
        at += len(text)
        last = text


def squeeze_script(source: str) -> str:
    """Return a script without comments, and with no white space but where two tokens would become one."""
    out: list[str] = []
    last = ""
    for gap, text in script_tokens(source):
        out += (_joint(last, gap, text), _in_template(text) if text[0] in "`}" else text)
        last = text
    return "".join(out)


def squeeze_style(source: str) -> str:
    """Return a style sheet without comments, and with the white space that parts something."""
    parts = re.split(r'("[^"]*")', re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL))
    for at in range(0, len(parts), 2):
        spaced = re.sub(r"\s+", " ", parts[at])
        parts[at] = re.sub(r"(?<=:) | ?([{};,>]) ?", r"\1", spaced).replace(";}", "}")
    return "".join(parts).strip()


def squeeze_page(source: str) -> str:
    """Return a page without line ends between its tags."""
    return re.sub(r">\s*\n\s*<", "><", source).strip()


def _next_token(source: str, at: int, last: str, in_template: bool) -> str:
    first = source[at]
    if first == "`" or (first == "}" and in_template):
        return first + _match(_TEMPLATE, source, at + 1)
    if first == "/" and (last in _BEFORE_REGEX or not _WORD_END.search(last)):
        return _match(_REGEX, source, at)
    return _match(_TOKEN, source, at)


def _match(pattern: re.Pattern[str], source: str, at: int) -> str:
    found = pattern.match(source, at)
    if found is None:
        raise ValueError(f"cannot be read from here: {source[at : at + 40]!r}")
    return found.group()


def _joint(last: str, gap: str, text: str) -> str:
    """Return what has to stay between two tokens."""
    if not gap or not last:
        return ""
    if "\n" in gap and last[-1] not in _OPEN and text[0] not in _GOES_ON:
        return "\n"
    both_words = re.match(r"[\w$]{2}", last[-1] + text[0])
    return " " if both_words or (last[-1] == text[0] and text[0] in "+-/") else ""


def _in_template(text: str) -> str:
    return re.sub(r">\n<", "><", _LINE_END.sub("\n", text))
