"""`server.py MODEL PATH PORT`: MLServer in one process, without its inference pool, which is slower on one core."""

import asyncio
import logging
import sys

from mlserver import MLServer
from mlserver.settings import ModelParameters, ModelSettings, Settings
from runtime import Onnx


async def main(name: str, path: str, port: int) -> None:
    settings = Settings(
        debug=False,
        parallel_workers=0,
        host="127.0.0.1",
        http_port=port,
        grpc_port=port + 1,
        metrics_port=port + 2,
        load_models_at_startup=False,
    )
    server = MLServer(settings)
    model = ModelSettings(name=name, implementation=Onnx, parameters=ModelParameters(uri=path))
    logging.disable(logging.INFO)
    await server.start([model])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
