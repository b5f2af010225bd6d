"""Starlette's StaticFiles."""
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles


class Files(StaticFiles):
    def file_response(self, full_path, *args, **kwargs):
        response = super().file_response(full_path, *args, **kwargs)
        if str(full_path).endswith(".gz"):
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Content-Type"] = "text/plain; charset=utf-8"
        return response


folder, port = sys.argv[1:]
app = Starlette(routes=[Mount("/", Files(directory=folder))])
uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error")
