"""MLflow: models from code.

python mlflow_app.py FOLDER                                    saves the model
mlflow models serve -m FOLDER -p PORT -w 2 --env-manager local
"""

from __future__ import annotations

import sys
from typing import Any

import mlflow


class Classify(mlflow.pyfunc.PythonModel):
    """Texts in, labels out."""

    def load_context(self, context: Any) -> None:
        """Open the model in a worker."""
        from classifier import Classifier

        self.model = Classifier()

    def predict(self, context: Any, model_input: Any, params: Any = None) -> list[dict[str, Any]]:
        """Labels."""
        frame = hasattr(model_input, "iloc")
        return self.model.predict(list(model_input.iloc[:, 0] if frame else model_input))


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=__file__, pip_requirements=["mlflow"])
else:
    mlflow.models.set_model(Classify())
