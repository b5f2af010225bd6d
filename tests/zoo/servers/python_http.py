"""The handler of `python -m http.server`, which also knows the coding of what is stored gzip-coded."""
import functools
import http.server
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def guess_type(self, path):
        return "text/plain" if path.endswith(".gz") else super().guess_type(path)

    def end_headers(self):
        if self.path.endswith(".gz"):
            self.send_header("Content-Encoding", "gzip")
        super().end_headers()

    def log_message(self, *_):
        pass


folder, port = sys.argv[1:]
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), functools.partial(Handler, directory=folder))
# A client that goes away is no error of the server.
server.handle_error = lambda *_: None
server.serve_forever()
