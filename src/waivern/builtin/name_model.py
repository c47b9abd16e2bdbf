"""The name model of a search for personal data: its properties, and what it did not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from waivern.builtin.common_properties import Number, Properties, SourcePath, located
from waivern.plugins.context import Context

if TYPE_CHECKING:
    from waivern.detection.ner.classifier import TokenClassifier
    from waivern.detection.ner.model_reader import ModelReader


class NameModelProperties(Properties):
    """The model that reads sentences for names and addresses."""

    model: SourcePath = Field(
        description="The folder of an ONNX token classifier, relative to the runbook's folder: "
        "`model.onnx`, `tokenizer.json` (WordPiece) and `config.json`."
    )
    budget_s: Annotated[float, Number, Field(gt=0, le=86_400)] = Field(
        default=60,
        description="The seconds that the model may read in one call of the processor; the "
        "sentences that it did not read are in the coverage.",
    )


def classifier(config: NameModelProperties, ctx: Context) -> TokenClassifier:
    """Return the model, which is read once an attempt. Raises ComponentError."""
    from waivern.detection.ner.classifier import TokenClassifier

    folder = located(ctx, config.model)
    return ctx.once(("personal_data", "model", str(folder)), lambda: TokenClassifier(folder))


def model_reader(config: NameModelProperties | None, ctx: Context) -> ModelReader | None:
    """Return the reader of one call, with its whole budget; None without a model."""
    if config is None:
        return None
    from waivern.detection.ner.model_reader import ModelReader

    return ModelReader(classifier(config, ctx), config.budget_s)


def report_unread(reader: ModelReader | None, item: str, ctx: Context) -> None:
    """Record the sentences of an item that the budget did not allow the model to read."""
    if reader is not None and (count := reader.take_unread()):
        ctx.left_out(item, "not read by the name model: its budget is spent", count)
