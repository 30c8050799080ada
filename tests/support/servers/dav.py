"""A client of DAV servers, driven by lines of JSON: {user, password, requests: [{method, url, headers, body}]} in, a list of
{status, headers, body} out, or what went wrong. Bytes travel as characters of the same number."""
import base64, http.client, json, socket, sys, traceback, urllib.parse


def send(connections, basic, request):
    url = urllib.parse.urlsplit(request['url'])
    if url.netloc not in connections:
        connections[url.netloc] = http.client.HTTPConnection(url.netloc, timeout=60)
    connection = connections[url.netloc]
    headers = {'Authorization': 'Basic ' + basic, **dict(request['headers'])}
    try:
        response = ask(connection, request, url.path or '/', headers)
    except ConnectionResetError:
        # A server that has just come up may hang up once.
        connection.close()
        response = ask(connection, request, url.path or '/', headers)
    return {
        'status': response.status,
        'headers': [(name.lower(), value) for name, value in response.getheaders()],
        'body': response.read().decode('latin-1'),
    }


def ask(connection, request, path, headers):
    connection.request(request['method'], path, request['body'].encode('latin-1') or None, headers)
    # Without the 40 ms that a server waits for us, which writes its answers in pieces.
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    return connection.getresponse()


for line in sys.stdin:
    try:
        order = json.loads(line)
        basic = base64.b64encode(('%s:%s' % (order['user'], order['password'])).encode()).decode()
        connections = {}
        answer = [send(connections, basic, request) for request in order['requests']]
    except Exception:
        answer = {'failed': traceback.format_exc()}
    print(json.dumps(answer), flush=True)
