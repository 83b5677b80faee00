"""mosec: python mosec_app.py --port PORT, with BATCH and WAIT_MS from the environment."""

from __future__ import annotations

import os
from typing import Any

from mosec import Server, Worker


class Classify(Worker):
    """One of two processes."""

    def __init__(self) -> None:
        super().__init__()
        from classifier import Classifier  # in the worker only

        self.model = Classifier()

    def forward(self, data: Any) -> Any:
        """Labels of a batch of requests; mosec gives one request as it is where batches are off."""
        if isinstance(data, list):
            return self.model.predict([each["text"] for each in data])
        return self.model.predict([data["text"]])[0]


if __name__ == "__main__":
    server = Server()
    server.append_worker(
        Classify,
        num=2,
        max_batch_size=int(os.environ["BATCH"]),
        max_wait_time=int(os.environ["WAIT_MS"]),
    )
    server.run()
