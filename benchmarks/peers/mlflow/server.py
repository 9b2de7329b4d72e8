"""`server.py MODEL PATH PORT`: MLflow's scoring server on its ONNX flavour, under uvicorn with one worker."""

import sys
from pathlib import Path

import mlflow.onnx
import onnx
import uvicorn
from mlflow import pyfunc
from mlflow.pyfunc import scoring_server

OPTIONS = {"intra_op_num_threads": 1, "inter_op_num_threads": 1}


def save(path: str, folder: Path) -> None:
    model = onnx.ModelProto.FromString(Path(path).read_bytes())
    mlflow.onnx.save_model(
        model,
        folder,
        pip_requirements=[],
        onnx_execution_providers=["CPUExecutionProvider"],
        onnx_session_options=OPTIONS,
        save_as_external_data=False,
    )


if __name__ == "__main__":
    name, path, port = sys.argv[1:]
    folder = Path(path).with_name(f"mlflow-{name}")
    if not folder.exists():
        save(path, folder)
    app = scoring_server.init(pyfunc.load_model(str(folder)))
    uvicorn.run(app, port=int(port), log_level="critical", access_log=False)
