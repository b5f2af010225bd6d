"""aiohttp's static routes, and a signal that sets the headers of what is stored gzip-coded."""
import sys

from aiohttp import web


async def set_headers(request, response):
    if request.path.endswith(".gz"):
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Type"] = "text/plain; charset=utf-8"


folder, port = sys.argv[1:]
app = web.Application()
app.router.add_static("/", folder)
app.on_response_prepare.append(set_headers)
web.run_app(app, host="127.0.0.1", port=int(port), print=None, access_log=None)
