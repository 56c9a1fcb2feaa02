"""From the names of annotators to annotators."""

from pathlib import Path

from data_pipelines.annotate.chat import Chat, Service
from data_pipelines.annotate.describe import Describer
from data_pipelines.annotate.endpoint import Endpoint
from data_pipelines.annotate.protocol import Annotator
from data_pipelines.annotate.sidecar import LabelCaption, Sidecar
from data_pipelines.prepare.config import PrepareConfig


def make_annotators(
    config: PrepareConfig, service: Service | None, answers: Path
) -> tuple[Annotator, ...]:
    """The annotators of `config`, in its order.

    `service` is needed by `endpoint`, whose answers are kept in the folder `answers` if `service`
    names no other. UserError for an endpoint that must not be asked.
    """
    simple = {"sidecar": Sidecar, "labels": LabelCaption, "describe": Describer}
    return tuple(
        simple[name]() if name in simple else _endpoint(config, service, answers)
        for name in config.annotators
    )


def _endpoint(config: PrepareConfig, service: Service | None, answers: Path) -> Endpoint:
    if service is None:
        raise ValueError("the annotator endpoint needs a Service")
    return Endpoint(
        chat=Chat(config.endpoint, service),
        model=config.endpoint_model,
        answers=service.cache or answers,
    )
