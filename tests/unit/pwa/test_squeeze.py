"""What goes out is what the file says: the same tokens in the same order, without what only readers need."""

import re
from pathlib import Path

import pytest

from kswifi.pwa.assets import STATIC
from kswifi.pwa.squeeze import script_tokens, squeeze_page, squeeze_script, squeeze_style

OURS = [path for path in sorted(STATIC.rglob("*.js")) if path.parent.name != "vendor"]


def tokens(source: str) -> list[str]:
    """Every token; in a template, white space with a line's end in it counts as the line's end."""
    texts = [text for _, text in script_tokens(source)]
    return [re.sub(r">\n<", "><", re.sub(r"\s*\n\s*", "\n", one)) if one[0] in "`}" else one for one in texts]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_every_script_keeps_its_tokens(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    squeezed = squeeze_script(source)
    assert tokens(squeezed) == tokens(source)
    assert squeeze_script(squeezed) == squeezed
    assert "\n//" not in squeezed
    assert "/**" not in squeezed


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        ("const a = 1; // one\nconst b = /** @type {any} */ (a);\n", "const a=1;const b=(a);"),
        ('say("a // b", \'/* c */\' ,  "\\" d");', 'say("a // b",\'/* c */\',"\\" d");'),
        ("a = b\n/re/.test(c)", "a=b\n/re/.test(c)"),  # a division, as ECMAScript reads it
        ("return /[/ \\] `]+/g .test(a)", "return/[/ \\] `]+/g.test(a)"),
        ("x = y / 2 + z / 3;", "x=y/2+z/3;"),
        ("a + +b - -c;", "a+ +b- -c;"),
        ("i\n++j", "i\n++j"),
        ("let a = 1\nlet b", "let a=1\nlet b"),
        ("return\na", "return\na"),
        ("t(`a ${ { b: `c ${ d } e` }[f] }  g`)", "t(`a ${{b:`c ${d} e`}[f]}  g`)"),
        ("html`<p>\n   <b>${ one }</b>\n   a  b\n  </p>`", "html`<p><b>${one}</b>\na  b\n</p>`"),
        ("`\\` ${'}'} $ \\${`", "`\\` ${'}'} $ \\${`"),
        ("async () => { await x; }", "async()=>{await x;}"),
        ("if (a) {\n  b();\n}\nelse c", "if(a){b();}\nelse c"),
    ],
)
def test_only_what_parts_nothing_is_left_out(source: str, sent: str) -> None:
    assert squeeze_script(source) == sent


def test_a_script_that_is_not_understood_is_refused_rather_than_sent() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        squeeze_script("const a = `never closed ${b}")


def test_a_style_sheet_keeps_the_white_space_that_means_something() -> None:
    source = """/* why */
.table :is(th, td):last-child { padding: 0 calc(1rem - 1px) ; content: "a ; b" }
.list > * + * { color: red; }
@media (max-width: 22rem) { a:hover { top: 1px; } }
"""
    assert squeeze_style(source) == (
        '.table :is(th,td):last-child{padding:0 calc(1rem - 1px);content:"a ; b"}'
        ".list>* + *{color:red}@media (max-width:22rem){a:hover{top:1px}}"
    )


def test_a_page_loses_the_line_ends_between_its_tags() -> None:
    assert squeeze_page("<p>\n<b>a\nb</b> <i>c</i>\n</p>\n") == "<p><b>a\nb</b> <i>c</i></p>"


@pytest.mark.parametrize("name", ["app.css", "lab.css"])
def test_every_rule_of_a_style_sheet_is_closed_where_it_ends(name: str) -> None:
    depth = 0
    for piece in re.findall(r"[{}]|@media[^{]*", squeeze_style((STATIC / name).read_text(encoding="utf-8"))):
        depth += {"{": 1, "}": -1}.get(piece, 0)
        assert piece in "{}" or depth == 0, f"{piece} stands within another rule"
    assert depth == 0
