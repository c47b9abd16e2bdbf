"""What looks like a value or a field of a person in packages, logs and programs, and is none."""

from __future__ import annotations

import pytest

from waivern.detection import field_names, load_ruleset, scan


@pytest.mark.parametrize(
    "text",
    [
        "Depends: libmodplug1 (>= 1:60.8.80.5), libmpg123-0",
        "Source: argus-clients (1:53.0.80.2-6.1)",
        "Source: blastem (0.6.3.4-1)",
        "Version 50.97.225.132+dfsg",
        "pulseaudio 50.97.225.132~rc1",
        "drivers (3.42.7.1-2) unstable",
    ],
)
def test_a_release_is_no_address(text: str) -> None:
    assert scan(text, types={"IP_ADDRESS"}) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("hosts 192.168.0.1-254", ["192.168.0.1"]),
        ("from 10.0.0.1-10.0.0.9", ["10.0.0.1", "10.0.0.9"]),
        ("GET / 81.94.202.251 - -", ["81.94.202.251"]),
        ("listen 0.0.0.0", ["0.0.0.0"]),
        ("ours (10.1.1.1-50)", ["10.1.1.1"]),
    ],
)
def test_ranges_of_addresses_are_addresses(text: str, wanted: list[str]) -> None:
    assert [text[m.start : m.end] for m in scan(text, types={"IP_ADDRESS"})] == wanted


def test_the_id_of_a_message_is_no_address_of_a_person() -> None:
    assert scan("thanks to 44087D8C.9090407@bluewin.ch") == []
    assert scan("mid=<0.0.9881290652.3772024cf8879cycv18081.0@acme.io>") == []
    assert [m.type for m in scan("john.19820101@acme.io")] == ["EMAIL_ADDRESS"]


def test_groups_of_hexadecimal_digits_are_no_identifiers() -> None:
    assert scan("66D6832B FE67F638 CD8FAE1F 2723020F 9C40A3FD A67EDA3B") == []


@pytest.mark.parametrize(
    "text",
    [
        "\t0x0040:  6465 736b 746f 702e 4442 7573 0000 0000  desktop.DBus....\n",
        "\t0x0010:  0020 0000 0000 0000 c0a8 0001 0000 0000  ................\n",
        "6767:6778:6767:6767 > 6700:7f:e664:24:2424:2424:2424:25eb: PIMv2",
        "32CD;SQUARE ERG;So;0;ON;<square> 0065 0072 0067;;;;N;;;;;",
        'd="M1 4.438-3.594 8-8 8-4.438 0-8-3.5a.85.85 0 0 0 0-1.219.85.85 0 0 0-1.219 0L7 8.781"',
        '{"table-cell-0-3": "68000000"}',
        "SNAT --to-source PH_IP_MOON:1024-1100 to eth0",
        "see MIMS::2003-1::190 and tex//<purpose>::9999",
        "EAP-Message = 0x01d30014120a00000d0100000f02000100010000",
        "mptcp 24 join hmac 0xcb7b87f5e5f0502f43b535fb70ef6607df2e6c7a",
        "\t2 1 0 1 0 0 50 -1 -1 0.000 0 0 -1 1 0 2\n\t 6255 1665 6525 1665\n\t2 3 0 1\n",
        "a 14-digit code issued by the French INSEE, for example `39922799000021`",
        "2.6.12",
        "   af:a2:6c:06:f5:1a:24:b2:\n        d3:bf:99:9b:ac:fc\n-----BEGIN CERTIFICATE-----",
        "@ SOA ns1 hostmaster.isc.org. 1 600 600 1200 600",
        "GET px-http/srv1 502 243 - - PH-- 3/2/2/0/0 0/0",
        "# Cap it to range 10 - 2000\nnew_cap = 64 * 1024;",
        "checking YYYYMMDDVV (2011072400) serial on hidden primary",
        "addprinc -randkey DNS/ns7.example.com@EXAMPLE.COM and 'machine$@EXAMPLE.COM'",
        "test_number.set_national_number(uint64{6502530000});",
        "EXPECT_EQ(650 253 222, 65 02 53 00 00)",
        "SELECT get_bit(B'0101011000100', 10); let $col= 200506271758;",
        "(281,'x',573,'24645','75975221996',0x00)",
        "CREATE TABLE include_reg (c3 int, c4 box);",
        "https://lists.example/m/CALDaNm3oZA-8Wbps2Jd1g5@mail.gmail.com",
        "thread 39a71864-b120-5a5c-8cc5-c632b6f16761@acme.io",
        "10 2 2450490 2,001 2001 001 01 1 21 3 09",
        "SELECT '{\"abc\"::1}'::json;",
        "Ciphers aes128-gcm@openssh.com; key ssh-ed25519-cert-v01@openssh.com",
        "tempo per inserire password: %.1f minuti",
        "twist://password:login/#team:channel and voipms://password:email/PhoneNo1",
        "if ((passwd = g_locale_to_utf8 (passwd, -1)))",
        "is read with national number 12245999 instead of 2245999",
        "+++ b/log.c 2007-08-28 phone 23:32:05.000000000 -0400",
        "DROP IN=lo # 00:00:00:00:08:00 SRC=lo",
        "registration/logged_out.html,sha256=PuviqzJh7C6SZJl9yKZXDcxxqXN",
        '"awsAccountNumber": "123456789101"',
    ],
)
def test_dumps_ranges_and_digests_are_no_values(text: str) -> None:
    assert scan(text) == []


def test_a_value_begins_after_an_expression() -> None:
    text = "authentication of.*dave@acme.io.*successful"
    assert [text[m.start : m.end] for m in scan(text)] == ["dave@acme.io"]
    text = "route table 220::10.1.0.0/16.*src"
    assert [text[m.start : m.end] for m in scan(text)] == ["10.1.0.0/16"]


@pytest.mark.parametrize(
    "text",
    [
        "It controls the delivery of incoming mail: see below.",
        "the rights of the patient: many",
        'icons = {"fingerprint": [512, 512, [], "f577"], "phone": [512, 512, [], "f095"]}',
        '{"map": {"code": 1}, "passport": {"code": 2}, "mobile": {"code": 3}}',
        "map:\n  unicode: f1\npassport:\n  unicode: f2\nphone:\n  unicode: f3\n",
        '"phone": $var-phone, "mobile": $var-mobile',
        '{"password": "Passwort", "phone": "Telefon"}',
        'PASSWORD = "password"\n',
        "LOOKUP_PASSWORD=yes",
        'print "Password: ";',
        "Access denied for user (using password: NO)",
        "full_name = ':'.join(image)",
        "FAMILY_NAMES = Object.keys(fonts)",
        'self.health_status = "Healthy"',
        "EMAIL_FIELD = 'address'",
        "child_name = mailbox_name(info)",
        "ssn = tls_session(handler)",
        "ShippingAddress = get_model('order')",
        "createTaxId: method(),",
        "lmtp_hdr_delivery_address=final",
        "Symptoms: the server stops",
        "CREATE TYPE line AS (account_id int, account_number text)",
        "CREATE TABLE company (legal_name text, sic_code text)",
        "html_email = loader.render()",
        "SELECT pk FROM form_types WHERE name = 'prescription'",
        "INSERT INTO urb (code, name, country) VALUES ('x', 'y', 'z')",
    ],
)
def test_a_word_is_no_field(text: str) -> None:
    assert field_names(text, load_ruleset()) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{"properties": {"id": {"type": "int"}, "email": {"type": "string"}}}', ["email"]),
        ("properties:\n  id:\n    type: int\n  email:\n    type: string\n", ["email"]),
        ("email: ann@acme.io\n", ["email"]),
        ("- phone: 1\n- phone: 2\n", ["phone"]),
        ("const user = { email: x, phone: y }", ["email", "phone"]),
        ("class User {\n  private email: string;\n}", ["email"]),
        ('"emails": [\n  "ann@acme.io"\n]', ["emails"]),
        ("first_name = a\nlast_name = b\n", ["first_name", "last_name"]),
        ("pregnancy: yes\n", ["pregnancy"]),
        ("title: str\nname: str\nlast_name: str\n", ["last_name", "name", "title"]),
        ("name: str\nemail_address: str\n", ["email_address", "name"]),
    ],
)
def test_a_field_is_a_field(text: str, names: list[str]) -> None:
    assert sorted(use.field.name for use in field_names(text, load_ruleset())) == names


def test_a_weak_name_of_a_special_category_needs_the_name_of_a_person() -> None:
    rules = load_ruleset()
    of_number = "  phone_number: string;\n  origin: string;\n"
    of_person = "  last_name: string;\n  origin: string;\n"
    assert {use.field.name for use in field_names(of_number, rules)} == {"phone_number"}
    assert {use.field.name for use in field_names(of_person, rules)} == {"last_name", "origin"}


def test_a_name_counts_beside_a_field_of_the_same_record() -> None:
    rules = load_ruleset()
    record = '{"name": "Ann", "phone": "1"}'
    thing = '{"name": "disk", "size": 1}'
    far = thing + " " * 1000 + '{"phone": "1"}'
    assert {use.field.name for use in field_names(record, rules)} == {"name", "phone"}
    assert {use.field.name for use in field_names(far, rules)} == {"phone"}
    account = '{"name": "disk", "password": "x1"}'
    assert {use.field.name for use in field_names(account, rules)} == {"password"}


def test_a_quoted_text_to_the_end_is_no_line_of_names() -> None:
    text = (
        "query = \"\\\n\tSELECT MAX(a), b \\\n\tFROM t \\\n\tWHERE name='%{key}' \\\n\tLIMIT 1;\"\n"
    )
    assert field_names(text, load_ruleset()) == []


def test_a_font_of_a_manual_page_is_no_part_of_an_address() -> None:
    text = "by Ann Lee <\\fIann.lee@acme.io\\fR>"
    assert [m.value for m in scan(text, types={"EMAIL_ADDRESS"})] == ["ann.lee@acme.io"]


def test_a_trunk_digit_may_stand_in_parentheses() -> None:
    text = "phone: +61 (02) 9332 3633"
    assert [m.value for m in scan(text)] == ["+61 (02) 9332 3633"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("CAP: 20100", "POSTAL_CODE"),
        ("checking account 00800210", "US_BANK_NUMBER"),
        ("ANN@ACME.IO", "EMAIL_ADDRESS"),
        ("link: d3:bf:99:9b:ac:fc", "MAC_ADDRESS"),
        ("30569309025904", "CREDIT_CARD"),
        ("born 2.6.12", "DATE_OF_BIRTH"),
    ],
)
def test_a_value_is_found_where_it_is_meant(text: str, kind: str) -> None:
    assert [match.type for match in scan(text)] == [kind]


def test_a_vcard_is_no_table() -> None:
    text = "BEGIN:VCARD\nUID:sorted-10\nN:C;First Name\nTEL;HOME:+1-221-5423789\nEND:VCARD\n"
    assert "First Name" not in {use.field.name for use in field_names(text, load_ruleset())}
