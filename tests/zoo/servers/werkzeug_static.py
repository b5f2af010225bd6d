"""Werkzeug's send_from_directory, as Flask calls it."""
import logging
import sys

from werkzeug.serving import WSGIRequestHandler, run_simple
from werkzeug.utils import send_from_directory
from werkzeug.wrappers import Request

folder, port = sys.argv[1:]
logging.getLogger("werkzeug").setLevel(logging.CRITICAL)


@Request.application
def app(request):
    response = send_from_directory(folder, request.path.lstrip("/"), request.environ)
    if request.path.endswith(".gz"):
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Type"] = "text/plain; charset=utf-8"
    return response


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"


run_simple("127.0.0.1", int(port), app, threaded=True, request_handler=Handler)
