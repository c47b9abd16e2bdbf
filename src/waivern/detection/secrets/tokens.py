"""Tokens of services, by the forms that the services document."""

from __future__ import annotations

import base64
import json

from waivern.detection.secrets.secret import LIKELY, Secret, form, prefix, says_example

_PUBLISHED = frozenset({"sk_test_4eC39HqLyjWDarjtT1zdp7dc", "sk_test_BQokikJOvBiI2HlWgH4olfQ2"})
_JWT_SIGNATURES = (
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
)
"""Of the token that jwt.io shows, and of the one in RFC 7515."""


def jwt(value: str) -> bool:
    """RFC 7519: the header is an object that names an algorithm."""
    head = value.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


def published_jwt(value: str) -> bool:
    """Return whether a token is one that documentation shows."""
    return value.endswith(_JWT_SIGNATURES)


SECRETS = (
    Secret("GITHUB_TOKEN", form(r"gh[opusr]_[A-Za-z0-9]{36,255}|github_pat_\w{82}"), prefix(4)),
    Secret(
        "GITLAB_TOKEN",
        form(r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt|ffct)-[\w-]{20,300}(?:\.[\w.]{9,40})?"),
        prefix(6),
    ),
    Secret("NPM_TOKEN", form(r"npm_[A-Za-z0-9]{36}"), prefix(4)),
    Secret("PYPI_TOKEN", form(r"pypi-AgE[\w-]{50,500}"), prefix(5)),
    Secret("DOCKER_TOKEN", form(r"dckr_pat_[\w-]{27}"), prefix(9)),
    Secret(
        "SLACK_TOKEN",
        form(r"xox[abeoprs]-[\w-]{15,300}|xapp-\d-[\w-]{20,300}"),
        prefix(5),
    ),
    Secret(
        "STRIPE_KEY",
        form(r"[rs]k_(?:live|test)_[A-Za-z0-9]{24,247}|whsec_[A-Za-z0-9]{32,64}"),
        prefix(8),
        is_sample=lambda value: value in _PUBLISHED or says_example(value),
    ),
    Secret(
        "OPENAI_KEY",
        form(r"sk-(?:[A-Za-z0-9]+-)?[\w-]{20,200}T3BlbkFJ[\w-]{20,200}"),
        prefix(3),
    ),
    Secret("ANTHROPIC_KEY", form(r"sk-ant-[a-z]{3,5}\d\d-[\w-]{80,120}"), prefix(7)),
    Secret("HUGGING_FACE_TOKEN", form(r"hf_[A-Za-z]{34}"), prefix(3)),
    Secret("TWILIO_KEY", form(r"SK[0-9a-f]{32}"), prefix(2), confidence=LIKELY),
    Secret("SENDGRID_KEY", form(r"SG\.[\w-]{22}\.[\w-]{43}"), prefix(3)),
    Secret("MAILGUN_KEY", form(r"key-[0-9a-f]{32}"), prefix(4), confidence=LIKELY),
    Secret("SHOPIFY_TOKEN", form(r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"), prefix(6)),
    Secret("TELEGRAM_TOKEN", form(r"\d{8,10}:AA[\w-]{33}"), prefix(0)),
    Secret("GRAFANA_TOKEN", form(r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}"), prefix(5)),
    Secret("AGE_SECRET_KEY", form(r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}"), prefix(16)),
    Secret(
        "JSON_WEB_TOKEN",
        form(r"eyJ[\w-]{10,2000}\.eyJ[\w-]{10,8000}\.[\w-]{20,2000}"),
        prefix(3),
        check=jwt,
        is_sample=published_jwt,
    ),
)
