"""Keys of cloud providers, by the forms that the providers document."""

from __future__ import annotations

from waivern.detection.secrets.secret import Secret, form, prefix

SECRETS = (
    Secret("AWS_ACCESS_KEY", form(r"(?:AKIA|ASIA)[A-Z2-7]{16}"), prefix(4)),
    Secret("GOOGLE_API_KEY", form(r"AIza[\w-]{35}"), prefix(4)),
    Secret("GOOGLE_OAUTH_SECRET", form(r"GOCSPX-[\w-]{28}|ya29\.[\w-]{40,400}"), prefix(4)),
    Secret("DIGITALOCEAN_TOKEN", form(r"do[opr]_v1_[0-9a-f]{64}"), prefix(7)),
    Secret("DATABRICKS_TOKEN", form(r"dapi[0-9a-f]{32}(?:-\d)?"), prefix(4)),
    Secret("VAULT_TOKEN", form(r"hv[sbr]\.[\w-]{24,300}"), prefix(4)),
)
