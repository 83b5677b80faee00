"""MLServer: a runtime of one's own, in two parallel workers, without adaptive batching."""

from __future__ import annotations

from classifier import Classifier
from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Classify(MLModel):
    """The model of one worker."""

    async def load(self) -> bool:
        """Open it."""
        self.model = Classifier()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Labels of a request's texts."""
        found = self.model.predict(StringCodec.decode_input(payload.inputs[0]))
        labels = StringCodec.encode_output("label", [each["label"] for each in found])
        return InferenceResponse(model_name=self.name, outputs=[labels])
