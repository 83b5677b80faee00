"""FastAPI: no batching, two processes.

uvicorn fastapi_app:app --workers 2 --loop uvloop --http httptools --port PORT
"""

from __future__ import annotations

from classifier import Classifier
from fastapi import FastAPI
from pydantic import BaseModel


class Texts(BaseModel):
    """A request."""

    texts: list[str]


app = FastAPI()
model = Classifier()


@app.post("/classify")
async def classify(body: Texts) -> list[dict[str, str | float]]:
    """Labels; on the loop's own thread, because a thread pool costs more than it gives here."""
    return model.predict(body.texts)
