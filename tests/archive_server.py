"""For tests: a web server on the loopback that supports ranges and fails on request."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ArchiveServer(ThreadingHTTPServer):
    """`files` by name; `faults`, one a request: status=503, bytes=N (then hang up), silent=True, or ranges=False."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults, self.ranges = {}, [], []
        self.over = threading.Event()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.ranges.append(self.headers["Range"])
        fault = self.server.faults.pop(0) if self.server.faults else {}
        content = self.server.files.get(self.path.strip("/"))
        if fault.get("silent"):
            self.server.over.wait()
        elif "status" in fault or content is None:
            self.send_error(fault.get("status", 404))
        else:
            ranges = self.headers["Range"] if fault.get("ranges", True) else None
            self.answer(content, ranges, fault.get("bytes"))

    def answer(self, content, ranges, sent_bytes):
        start = int(ranges.removeprefix("bytes=").removesuffix("-")) if ranges else 0
        if ranges and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if ranges else 200)
        if ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][:sent_bytes])


@contextmanager
def serving():
    with ArchiveServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
