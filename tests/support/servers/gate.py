"""A gate before a server that knows no bearer tokens: gate.py PORT UPSTREAM INTROSPECTION [PASSWORD]

Asks the provider whose a token is with every request, as RFC 7662 has it. Who has a good one is let through, as the user it stands
for: with PASSWORD, the server behind is told by Basic authentication. Everybody else gets 401 (RFC 6750). Prints a line a request:
whether it was let in, the method and the path."""
import base64
import http.client
import http.server
import json
import sys
import urllib.parse

PORT, UPSTREAM, INTROSPECTION = int(sys.argv[1]), urllib.parse.urlsplit(sys.argv[2]), urllib.parse.urlsplit(sys.argv[3])
PASSWORD = sys.argv[4] if len(sys.argv) > 4 else None


def basic(user, password):
    return 'Basic ' + base64.b64encode(f'{user}:{password}'.encode()).decode()


def bearer_of(header):
    """The user a token stands for, if it is good."""
    scheme, _, token = (header or '').partition(' ')
    if scheme.lower() != 'bearer':
        return None
    provider = http.client.HTTPConnection(INTROSPECTION.hostname, INTROSPECTION.port, timeout=20)
    try:
        provider.request('POST', INTROSPECTION.path, urllib.parse.urlencode({'token': token}), {
            'Authorization': basic(INTROSPECTION.username, INTROSPECTION.password),
            'Content-Type': 'application/x-www-form-urlencoded'})
        told = json.load(provider.getresponse())
    except OSError:
        return None
    return told.get('sub') if told.get('active') else None


class Gate(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def __getattr__(self, name):
        if name.startswith('do_'):
            return self.pass_on
        raise AttributeError(name)

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        user = bearer_of(self.headers.get('Authorization'))
        print('let in' if user else 'refused', self.command, self.path, flush=True)
        if not user:
            return self.answer(401, [('WWW-Authenticate', 'Bearer error="invalid_token"')], b'')
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in ('authorization', 'connection', 'accept-encoding')}
        if PASSWORD is not None:
            headers['Authorization'] = basic(user, PASSWORD)
        server = http.client.HTTPConnection(UPSTREAM.hostname, UPSTREAM.port, timeout=60)
        server.request(self.command, self.path, body or None, headers)
        response = server.getresponse()
        passed = [(name, value) for name, value in response.getheaders()
                  if name.lower() not in ('connection', 'content-length', 'transfer-encoding', 'date', 'server')]
        self.answer(response.status, passed, response.read())

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(('127.0.0.1', PORT), Gate).serve_forever()
