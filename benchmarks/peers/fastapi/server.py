"""`server.py MODEL PATH PORT`: FastAPI on uvicorn with uvloop and httptools, one worker, no access log."""

import sys

import uvicorn
from app import make_app

if __name__ == "__main__":
    name, path, port = sys.argv[1:]
    uvicorn.run(make_app(name, path), port=int(port), log_level="critical", access_log=False)
