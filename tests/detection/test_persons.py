"""Names of persons, found by what stands around them, and the values that look like names."""

from __future__ import annotations

import pytest

from waivern.detection import scan
from waivern.detection.people.name_columns import name_column


def names(text: str, field: str | None = None) -> list[str]:
    found = scan(text, field=field, types={"PERSON"})
    return [text[match.start : match.end] for match in found]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Dear Ms Novak,\n\nthank you.\n\nBest regards,\nJane Roe\n", ["Novak", "Jane Roe"]),
        ("Sehr geehrte Frau Müller-Lüdenscheidt,", ["Müller-Lüdenscheidt"]),
        ("Monsieur Dupont est là", ["Dupont"]),
        ("Frau Dr. Müller und Herr Prof. Dr. Schmidt", ["Müller", "Schmidt"]),
        ("Geachte mevrouw De Vries,\n", ["De Vries"]),
        ("Vážená paní Nováková,\n", ["Nováková"]),
        ("Gentile Signora Bianchi,\n", ["Bianchi"]),
        ("INFO customer=Peter Smith id=3", ["Peter Smith"]),
        ("Имя: Иван\nФамилия: Петров\n", ["Иван", "Петров"]),  # noqa: RUF001
        ("El Sr. García Márquez llegó", ["García Márquez"]),
        ("Hi Peter,\nsee below", ["Peter"]),
        ("Mit freundlichen Grüßen\n\nHans-Peter Vogt\n", ["Hans-Peter Vogt"]),
        ('From: "Jane Roe" <jane@acme.io>\n', ["Jane Roe"]),
        ("To: Petr Svoboda <p@firma.cz>, list <list@firma.cz>", ["Petr Svoboda"]),
        ("jroe@acme.io (Jane Roe)", ["Jane Roe"]),
        (" * @author     Anika Henke <anika@acme.io>", ["Anika Henke"]),
        ("Author: Xyqu Wolqe <xyqu.wolqe@acme.io>", ["Xyqu Wolqe"]),
        (" -- Jane Roe <jane@acme.io>  Mon, 1 Jan 2020", ["Jane Roe"]),
        ("Copyright (c) 2020-2023 Jane Roe, Jan Novak and Acme Inc.", ["Jane Roe", "Jan Novak"]),
        ("Reviewed-by: Ann Lee\nSigned-off-by: Bo Pang\n", ["Ann Lee", "Bo Pang"]),
        ("This page was written by Edward Loper.", ["Edward Loper"]),
        ('__author__ = "Kenneth Reitz"', ["Kenneth Reitz"]),
        (" * @author Hans Müller\n", ["Hans Müller"]),
        ('<meta name="author" content="Susan Kare">', ["Susan Kare"]),
        ("On Mon, 1 Jan 2020 at 10:00, Peter Smith wrote:\n> no", ["Peter Smith"]),
        ("Hello, my name is Peter Parker and I live", ["Peter Parker"]),
        ("name: Jane Roe\n", ["Jane Roe"]),
        ("patient: Anna Karenina", ["Anna Karenina"]),
        ('{"first_name": "Søren", "last_name": "Kierkegaard"}', ["Søren", "Kierkegaard"]),
        ("Nom: DUPONT\nPrénom: Jean", ["Jean"]),
        ("Name: Novak, Jana", ["Novak, Jana"]),
        ("氏名: 山田 太郎\n", ["山田 太郎"]),
        ("ФИО\nfull name: Иван Петров\n", ["Иван Петров"]),
        ("<firstName>Lea</firstName>", ["Lea"]),
    ],
)
def test_a_place_points_to_a_name(text: str, wanted: list[str]) -> None:
    assert names(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "filename: Jane Roe\nclass name: Peter Smith\nhost_name = Anna Berg",
        "Copyright (c) 2019 Red Hat\nCopyright 2020 Acme Widgets Ltd\n",
        "From: Debian Perl Group <perl@lists.debian.org>",
        "name: Install Dependencies\nname: San Francisco\nname: Monday Morning",
        '{"name": "Garden Chair", "price": 3}',
        "Dear Customer,\nDear Sir or Madam,",
        "The report was written by The Committee",
        "Best regards,\nThe Support Team\n",
        "Mark all as read. Will Not Fix. Open Source Software.",
        "author: unknown\nowner: root\nmaintainer: Build Robot",
        "實例必須是 實例名= 實例路徑",
        "Introduced by Commit Message; Name: the file",
        "field_firstname: Keresztnév\nfield_lastname: Soyad\nfield_mail: E-mail",
        "$map['middle_name'] = \"Meza Nomo\";\n$map['managers_name'] = \"主管名稱\";",
        "Author: Twisted Matrix Laboratories",
        "@_set_pow.register(Interval, Infinity)",
    ],
)
def test_headings_companies_and_products_are_no_names(text: str) -> None:
    assert names(text) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("id,name,email\n1,Jane Roe,a@b.de\n2,Xaxu Qorqu,b@c.de\n", ["Jane Roe", "Xaxu Qorqu"]),
        ("Members\n\n\nname,email\nJane Roe,a@b.de\n", ["Jane Roe"]),
        (
            "# export\nsep=^\nid^name^email\n1^Jane Roe^a@b.de\n2^Ann Lee^b@c.de\n",
            ["Jane Roe", "Ann Lee"],
        ),
        ("'id','first_name'\n'1','Xu'\n'2','Ann'\n", ["Xu", "Ann"]),
        ('id,name,note\n1,Jane Roe,"two\nlines"\n2,Ann Lee,b\n', ["Jane Roe", "Ann Lee"]),
        ("id,name,pesel\n1,Xaxu Qorqu,87101216884\n", ["Xaxu Qorqu"]),
        ("insert into t (full_name, n) values ('Ann O''Brien', 1);", ["Ann O''Brien"]),
        ("Vorname;Nachname\nHans;Meier\nUwe;von Stein\n", ["Hans", "Meier", "Uwe", "von Stein"]),
        ("| Name | City |\n|---|---|\n| Jane Roe | Rome |\n", ["Jane Roe"]),
        ("id,name,price\n1,Garden Chair,3\n2,Big Table,4\n", []),
        ("id,file_name,size\n1,Jane Roe,3\n2,Peter Smith,4\n", []),
    ],
)
def test_a_column_is_judged_by_its_name_its_neighbours_and_its_values(
    text: str, wanted: list[str]
) -> None:
    assert names(text) == wanted


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("name", "Jane Roe", True),
        ("first_name", "Xu", True),
        ("Nachname", "VON STEIN", True),
        ("nombre_completo", "Gabriel García", True),
        ("氏名", "山田太郎", True),
        ("surname", "O'Brien", True),
        ("achternaam", "van der Berg", True),
        ("name", "Garden Chair", False),
        ("hostname", "Jane Roe", False),
        ("product_name", "Jane Roe", False),
        ("first_name", "unknown", False),
        ("last_name", "N/A", False),
        ("first_name", "Test User", False),
    ],
)
def test_the_value_of_a_field_of_names(field: str, value: str, found: bool) -> None:
    assert names(value, field) == ([value] if found else [])


def test_a_weak_field_is_one_of_names_if_its_values_are() -> None:
    people = ["Anna Berg", "Xaxu Qorqu", "Peter Smith"]
    goods = ["Garden Chair", "Corner Lamp", "Anna Berg"]
    strong, weak = name_column("name", (), people), name_column("name", (), goods[:2])
    assert strong is not None
    assert weak is not None
    assert strong >= 0.5 > weak
    assert name_column("name", ("email",), goods[:2]) == 0.5
    assert name_column("city", (), people) is None


def test_the_name_that_stands_for_anybody_is_test_data() -> None:
    assert next(iter(scan("From: John Doe <j@acme.io>"))).sample
