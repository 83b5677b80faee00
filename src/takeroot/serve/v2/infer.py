"""What REST and gRPC share of an inference: a request as values, and the tensors that answer it."""

from __future__ import annotations

from dataclasses import dataclass

from takeroot.serve.service import Service
from takeroot.serve.v2.signature import Column, Wanted, signature_of
from takeroot.serve.v2.tensors import invalid


@dataclass(frozen=True, slots=True)
class Request:
    """A request for answers.

    Args:
        model: Name of the model.
        version: Its version; None for the newest.
        inputs: The texts of each input tensor, by its name.
        outputs: What is wanted; everything if empty.
        deadline: On the loop's clock; None for the server's own limit.
    """

    model: str
    version: str | None
    inputs: dict[str, list[str]]
    outputs: tuple[Wanted, ...] = ()
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a request: who gave it, and the tensors in the order they were wanted."""

    model: str
    version: str
    columns: list[Column]


async def infer(service: Service, request: Request) -> Answered:
    """Answer a request.

    Raises:
        ServeError: If it cannot be accepted, or not answered in time.
    """
    info = service.find(request.model, request.version)
    signature = signature_of(info.spec.task, info.spec.labels)
    inputs = signature.read(request.inputs)
    wanted = signature.choose(request.outputs)
    # Nothing is awaited between find and predict, so that this version is still there.
    reply = await service.predict(
        info.name, inputs, version=info.version, deadline=request.deadline
    )
    columns = [signature.column(each, reply.answers) for each in wanted]
    return Answered(reply.model, reply.version, columns)


def texts(values: list[bytes]) -> list[str]:
    """The texts of a BYTES tensor.

    Raises:
        ServeError: invalid_request if one is no UTF-8.
    """
    try:
        return [each.decode() for each in values]
    except UnicodeDecodeError as error:
        raise invalid("a text is not UTF-8") from error
