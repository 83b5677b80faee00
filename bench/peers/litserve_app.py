"""LitServe: python litserve_app.py PORT, two inference processes, no batching."""

import sys
from typing import Any

import litserve
from classifier import Classifier


class Api(litserve.LitAPI):
    """Text in, label out."""

    def setup(self, device: str) -> None:
        """Open the model in an inference process."""
        self.model = Classifier()

    def decode_request(self, request) -> str:  # noqa: ANN001 - LitServe reads a type as a query's
        """The text of a request."""
        return request["text"]

    def predict(self, x: str) -> dict[str, Any]:
        """Its label."""
        return self.model.predict([x])[0]

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """As it is."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=2)
    server.run(
        port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
