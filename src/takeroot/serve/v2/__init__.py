"""The Open Inference Protocol (V2) over REST and gRPC, for clients written for Triton and KServe.

What goes in are the tensors ``text`` and, for a pair task, ``second`` (BYTES, one element a text);
what comes out is in ``takeroot.serve.v2.signature.OUTPUTS``. ``rest`` and ``grpc`` only translate:
both go through ``infer``, and both tell about models with the values ``describe`` gives. The gRPC
half, ``takeroot.serve.v2.grpc``, is imported by itself, because grpcio takes a while.
"""

from __future__ import annotations

from takeroot.serve.v2.rest import respond, scope_of
from takeroot.serve.v2.rest_calls import refusal

__all__ = ["refusal", "respond", "scope_of"]
